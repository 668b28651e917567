//! The results of the engines, as tables and as JSON.

use serde_json::{Value, json};
use std::collections::HashSet;

use super::measure::CaseResult;

/// An engine's results on all cases.
pub(super) struct Run {
    pub(super) engine: String,
    /// Duration of the whole run, with the start of the processes.
    pub(super) seconds: f64,
    pub(super) cases: Vec<CaseResult>,
}

/// So many of the slowest compilations and masks are printed.
const SLOWEST: usize = 10;

/// Numbers of cases by result.
#[derive(Default)]
struct Count {
    passing: usize,
    refused: usize,
    /// Schemas with a wrongly rejected instance, and these instances.
    rejected: (usize, usize),
    /// Schemas with a wrongly accepted instance, and these instances.
    accepted: (usize, usize),
}

/// Times, sorted.
struct Times(Vec<f64>);

impl Times {
    fn new(times: impl Iterator<Item = f64>) -> Times {
        let mut times: Vec<f64> = times.collect();
        times.sort_by(f64::total_cmp);
        Times(times)
    }

    /// The smallest time that at least `share` of all times do not exceed.
    fn percentile(&self, share: f64) -> f64 {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
    }

    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len().max(1) as f64
    }

    fn row(&self) -> String {
        let most = self.0.last().copied().unwrap_or(0.0);
        let [p50, p99, p999, p9999] = [0.5, 0.99, 0.999, 0.9999].map(|share| self.percentile(share));
        let mean = self.mean();
        format!("{:9}  {p50:10.1}  {mean:10.1}  {p99:10.1}  {p999:10.1}  {p9999:10.1}  {most:10.0}", self.0.len())
    }

    fn json(&self) -> Value {
        json!({
            "n": self.0.len(), "p50": self.percentile(0.5), "mean": self.mean(), "p99": self.percentile(0.99),
            "p99.9": self.percentile(0.999), "p99.99": self.percentile(0.9999), "max": self.0.last(),
        })
    }
}

impl Run {
    fn count(&self) -> Count {
        let mut count = Count::default();
        for case in &self.cases {
            if case.refused.is_some() {
                count.refused += 1;
            } else if case.wrong.is_empty() {
                count.passing += 1;
            }
            let rejected = case.wrong.iter().filter(|wrong| wrong.valid).count();
            let accepted = case.wrong.len() - rejected;
            count.rejected.0 += usize::from(rejected > 0);
            count.rejected.1 += rejected;
            count.accepted.0 += usize::from(accepted > 0);
            count.accepted.1 += accepted;
        }
        count
    }

    fn peak(&self) -> u64 {
        self.cases.iter().map(|case| case.peak).max().unwrap_or(0)
    }

    /// The wanted cases whose schema the engine accepted.
    fn taken(&self, wanted: Wanted) -> impl Iterator<Item = &CaseResult> {
        self.cases.iter().filter(move |case| case.refused.is_none() && wanted.is_none_or(|ids| ids.contains(&*case.id)))
    }

    /// Compilation and first mask of the schemas that were not refused.
    fn first(&self, wanted: Wanted) -> Times {
        Times::new(self.taken(wanted).map(|case| case.first))
    }

    fn masks(&self, wanted: Wanted) -> Times {
        Times::new(self.taken(wanted).flat_map(|case| &case.masks).map(|&time| f64::from(time)))
    }

    fn advances(&self, wanted: Wanted) -> Times {
        Times::new(self.taken(wanted).flat_map(|case| &case.advances).map(|&time| f64::from(time)))
    }
}

/// The ids of the wanted cases; `None` for all cases.
type Wanted<'a> = Option<&'a HashSet<&'a str>>;

/// Selects the times of one kind from a run.
type TimesOf = for<'a> fn(&'a Run, Wanted<'a>) -> Times;

/// The cases whose schema all engines accepted.
fn taken_by_all(runs: &[Run]) -> HashSet<&str> {
    let taken = |run| Run::taken(run, None).map(|case| &*case.id).collect::<HashSet<&str>>();
    let all = runs.iter().map(taken).reduce(|all, taken| &all & &taken);
    all.unwrap_or_default()
}

pub(super) fn print(runs: &[Run]) {
    println!(
        "{:14}  {:>7}  {:>7}  {:>7}  {:>17}  {:>17}  {:>9}  {:>7}",
        "engine", "schemas", "passing", "refused", "valid rejected", "invalid accepted", "peak MB", "seconds"
    );
    for run in runs {
        let count = run.count();
        println!(
            "{:14}  {:7}  {:7}  {:7}  {:>17}  {:>17}  {:9.0}  {:7.1}",
            run.engine,
            run.cases.len(),
            count.passing,
            count.refused,
            format!("{} in {}", count.rejected.1, count.rejected.0),
            format!("{} in {}", count.accepted.1, count.accepted.0),
            run.peak() as f64 / 1e6,
            run.seconds
        );
    }
    let heads: [(&str, TimesOf); 3] = [
        ("TTFM: compilation and first mask", Run::first),
        ("TBM: a further mask", Run::masks),
        ("a token appended", Run::advances),
    ];
    let table = |head: &str, times: TimesOf, wanted: Wanted| {
        println!("\n{head}, microseconds");
        print!("{:14}  {:>9}", "engine", "n");
        ["p50", "mean", "p99", "p99.9", "p99.99", "max"].iter().for_each(|column| print!("  {column:>10}"));
        println!();
        for run in runs {
            println!("{:14}  {}", run.engine, times(run, wanted).row());
        }
    };
    heads.iter().for_each(|(head, times)| table(head, *times, None));
    if runs.len() > 1 {
        // An engine that refuses the expensive schemas would otherwise seem faster.
        let common = taken_by_all(runs);
        println!("\nOf the {} schemas that all engines accept:", common.len());
        heads.iter().for_each(|(head, times)| table(head, *times, Some(&common)));
    }
    runs.iter().for_each(print_slowest);
}

/// The slowest compilations and masks of an engine, of different schemas, with the end of the text before each mask.
fn print_slowest(run: &Run) {
    let mut cases: Vec<&CaseResult> = run.taken(None).collect();
    println!("\n{}: slowest compilations with first mask, microseconds", run.engine);
    cases.sort_by(|one, other| other.first.total_cmp(&one.first));
    cases.iter().take(SLOWEST).for_each(|case| println!("{:10.0}  {}", case.first, case.id));
    println!("\n{}: slowest further masks, microseconds", run.engine);
    let slowest = |case: &CaseResult| case.slowest.first().map_or(0.0, |slow| slow.microseconds);
    cases.sort_by(|one, other| slowest(other).total_cmp(&slowest(one)));
    for case in cases.iter().take(SLOWEST) {
        let before = case.slowest.first().map_or("", |slow| &slow.before);
        println!("{:10.0}  {}  after {before:?}", slowest(case), case.id);
    }
}

/// All measurements, without those of single masks.
pub(super) fn json(runs: &[Run]) -> Value {
    let runs = runs.iter().map(|run| {
        let count = run.count();
        let cases: Vec<Value> = run.cases.iter().map(case).collect();
        json!({
            "engine": run.engine, "schemas": run.cases.len(), "passing": count.passing, "refused": count.refused,
            "valid_rejected": count.rejected.1, "invalid_accepted": count.accepted.1, "peak_bytes": run.peak(),
            "seconds": run.seconds, "first_mask": run.first(None).json(), "mask": run.masks(None).json(),
            "append": run.advances(None).json(), "cases": cases,
        })
    });
    Value::Array(runs.collect())
}

fn case(case: &CaseResult) -> Value {
    let masks = Times::new(case.masks.iter().map(|&time| f64::from(time)));
    json!({
        "id": case.id, "refused": case.refused, "unsatisfiable": case.unsatisfiable, "wrong": case.wrong,
        "compile": case.compile, "first_mask": case.first, "mask": masks.json(), "slowest": case.slowest,
    })
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn a_percentile_is_the_smallest_value_that_covers_its_share() {
        let times = Times::new((1..=100).rev().map(f64::from));
        assert_eq!([times.percentile(0.5), times.percentile(0.99), times.percentile(0.999)], [50.0, 99.0, 100.0]);
        assert_eq!(times.mean(), 50.5);
        assert_eq!(Times::new(std::iter::empty()).percentile(0.99), 0.0);
    }
}
