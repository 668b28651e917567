//! The engines' processes and their time limits.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use super::measure::{CaseResult, READY};
use super::report::Run;
use crate::Outcome;
use crate::cases::DocumentFile;
use crate::engines::{Choices, EngineName};

/// Time limit for preparing an engine.
const STARTING: Duration = Duration::from_secs(60);

/// The input of all engines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task<'a> {
    pub(super) choices: Choices,
    /// The prepared cases and their number.
    pub(super) file: &'a Path,
    pub(super) count: usize,
    /// The documents that schemas may refer to.
    pub(super) documents: &'a DocumentFile,
    /// Time limit for one case.
    pub(super) timeout: Duration,
}

/// Number of cases in an engine's turn. Turns are short, so that a temporarily slow machine affects all engines, and long enough for
/// warm caches, as in a server.
const TURN: usize = 100;

/// Runs the engines in turns over all cases of a prepared file.
pub(super) fn run(engines: &[EngineName], task: Task<'_>) -> Outcome<Vec<Run>> {
    let mut watched: Vec<Watched<'_>> = engines.iter().map(|&engine| Watched::new(engine, task)).collect();
    for begin in (0..task.count).step_by(TURN) {
        for engine in &mut watched {
            (begin..task.count.min(begin + TURN)).try_for_each(|_| engine.run_case())?;
        }
    }
    watched.into_iter().map(Watched::finish).collect()
}

/// An engine, its process while it runs, and its results.
struct Watched<'a> {
    engine: EngineName,
    task: Task<'a>,
    process: Option<Process>,
    cases: Vec<CaseResult>,
    spent: Duration,
}

/// A process that runs one case for each line that it receives, and answers with one line.
struct Process {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
}

impl<'a> Watched<'a> {
    fn new(engine: EngineName, task: Task<'a>) -> Watched<'a> {
        Watched { engine, task, process: None, cases: Vec::with_capacity(task.count), spent: Duration::ZERO }
    }

    /// Runs the next case.
    fn run_case(&mut self) -> Outcome {
        let begun = Instant::now();
        let mut process = match self.process.take() {
            Some(process) => process,
            None => start(self.engine, self.task, self.cases.len())?,
        };
        // If the process has ended, sending fails. The missing answer below reports it.
        let _ = writeln!(process.orders);
        let reason = match process.answers.recv_timeout(self.task.timeout) {
            Ok(line) => {
                self.cases.push(serde_json::from_str(&line)?);
                self.process = Some(process);
                self.spent += begun.elapsed();
                return Ok(());
            }
            Err(RecvTimeoutError::Timeout) => {
                process.child.kill()?;
                process.child.wait()?;
                format!("no answer within {} s", self.task.timeout.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => format!("the process ended: {}", process.child.wait()?),
        };
        eprintln!("{}: case {}: {reason}", self.engine.text(), self.cases.len());
        self.cases.push(CaseResult { refused: Some(reason), ..CaseResult::default() });
        self.spent += begun.elapsed();
        Ok(())
    }

    fn finish(self) -> Outcome<Run> {
        let Watched { engine, task, process, mut cases, spent } = self;
        if let Some(Process { mut child, orders, .. }) = process {
            drop(orders);
            child.wait()?;
        }
        name(&mut cases, task.file)?;
        Ok(Run { engine: engine.text().to_owned(), seconds: spent.as_secs_f64(), cases })
    }
}

/// Adds the ids of cases that ended their process before it could report them.
fn name(cases: &mut [CaseResult], file: &Path) -> Outcome {
    if cases.iter().any(|case| case.id.is_empty()) {
        let (_, reader) = super::prepare::Reader::open(file)?;
        for (result, case) in cases.iter_mut().zip(reader) {
            result.id = case?.id;
        }
    }
    Ok(())
}

fn start(engine: EngineName, task: Task<'_>, from: usize) -> Outcome<Process> {
    let choices = task.choices;
    let value = |name: Option<clap::builder::PossibleValue>| name.map(|name| name.get_name().to_owned());
    let mut child = Command::new(std::env::current_exe()?)
        .arg("measure")
        .args(["--engine", engine.text()])
        .args(["--whitespace", &value(choices.whitespace.to_possible_value()).unwrap_or_default()])
        .args(["--order", &value(choices.order.to_possible_value()).unwrap_or_default()])
        .args(["--from", &from.to_string()])
        .args(task.documents.path.iter().flat_map(|path| ["--documents".as_ref(), path.as_os_str()]))
        .arg("--file")
        .arg(task.file)
        // Engines with several threads would not be comparable.
        .env("RAYON_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let orders = child.stdin.take().ok_or("the process has no standard input")?;
    let out = child.stdout.take().ok_or("the process has no standard output")?;
    let (sender, answers) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    if answers.recv_timeout(STARTING).ok().as_deref() != Some(READY) {
        child.kill()?;
        return Err(format!("{} does not start: {}", engine.text(), child.wait()?).into());
    }
    Ok(Process { child, orders, answers })
}
