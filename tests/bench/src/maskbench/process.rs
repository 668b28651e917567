//! An engine's process, watched.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use super::measure::{CaseResult, READY};
use super::report::Run;
use crate::Outcome;
use crate::engines::{Choices, EngineName};

/// What a process may take to make its engine ready.
const STARTING: Duration = Duration::from_secs(60);

/// Runs an engine over all cases of a prepared file.
pub(super) fn run(engine: EngineName, choices: Choices, file: &Path, count: usize, timeout: Duration) -> Outcome<Run> {
    let begun = Instant::now();
    let mut cases: Vec<CaseResult> = Vec::with_capacity(count);
    while cases.len() < count {
        let (mut child, lines) = start(engine, choices, file, cases.len())?;
        if lines.recv_timeout(STARTING).ok().as_deref() != Some(READY) {
            child.kill()?;
            return Err(format!("{} does not start: {}", engine.text(), child.wait()?).into());
        }
        let ended = loop {
            match lines.recv_timeout(timeout) {
                Ok(line) => cases.push(serde_json::from_str(&line)?),
                Err(RecvTimeoutError::Timeout) => {
                    child.kill()?;
                    break Some(format!("no answer within {} s", timeout.as_secs()));
                }
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        let status = child.wait()?;
        if cases.len() < count {
            let reason = ended.unwrap_or_else(|| format!("the process ended: {status}"));
            eprintln!("{}: case {}: {reason}", engine.text(), cases.len());
            cases.push(CaseResult { refused: Some(reason), ..CaseResult::default() });
        }
    }
    name(&mut cases, file)?;
    Ok(Run { engine: engine.text().to_owned(), seconds: begun.elapsed().as_secs_f64(), cases })
}

/// Cases that a process did not survive have no name yet.
fn name(cases: &mut [CaseResult], file: &Path) -> Outcome {
    if cases.iter().any(|case| case.id.is_empty()) {
        let (_, reader) = super::prepare::Reader::open(file)?;
        for (result, case) in cases.iter_mut().zip(reader) {
            result.id = case?.id;
        }
    }
    Ok(())
}

fn start(engine: EngineName, choices: Choices, file: &Path, from: usize) -> Outcome<(Child, Receiver<String>)> {
    let value = |name: Option<clap::builder::PossibleValue>| name.map(|name| name.get_name().to_owned());
    let mut child = Command::new(std::env::current_exe()?)
        .arg("measure")
        .args(["--engine", engine.text()])
        .args(["--whitespace", &value(choices.whitespace.to_possible_value()).unwrap_or_default()])
        .args(["--order", &value(choices.order.to_possible_value()).unwrap_or_default()])
        .args(["--from", &from.to_string()])
        .arg("--file")
        .arg(file)
        // An engine that works on several threads would not be comparable.
        .env("RAYON_NUM_THREADS", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let out = child.stdout.take().ok_or("the process has no standard output")?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Ok((child, receiver))
}
