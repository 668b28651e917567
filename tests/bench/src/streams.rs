//! `jig-bench streams`: the speed of a server under guided and unguided streams, and its share of time in masks.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;

/// Measure a server with the embedded model under guided and unguided streams
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// The server's program [default: `jig` in the directory of this program]
    #[arg(long, value_name = "FILE")]
    jig: Option<PathBuf>,
    /// Number of concurrent streams
    #[arg(long, value_name = "N", default_value_t = 32)]
    clients: u64,
    /// Duration of the measurement of each kind of stream in each round, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    seconds: u64,
    /// Number of rounds; each measures all kinds of streams, so that a disturbance of the machine affects all of them
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u32,
}

/// The kind of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Unguided,
    Forced,
    Unforced,
}

const KINDS: [(Kind, &str); 3] =
    [(Kind::Unguided, "unguided"), (Kind::Forced, "guided"), (Kind::Unforced, "guided, forced_text off")];

/// Counters from the server's metrics.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    tokens: f64,
    steps: f64,
    masks: f64,
    seconds: f64,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let jig = match &args.jig {
        Some(jig) => jig.clone(),
        None => std::env::current_exe()?.with_file_name("jig"),
    };
    let server = Server::start(&jig)?;
    let mut sums = [Counters::default(); KINDS.len()];
    for _ in 0..args.rounds {
        for ((kind, _), sum) in KINDS.into_iter().zip(&mut sums) {
            let counted = measure(&server.address, kind, args)?;
            sum.tokens += counted.tokens;
            sum.steps += counted.steps;
            sum.masks += counted.masks;
            sum.seconds += counted.seconds;
        }
    }
    println!(
        "| {} streams on `demo` | tokens/s | relative to unguided | masks, share of the steps' time |",
        args.clients
    );
    println!("|---|---:|---:|---:|");
    let rate = |counted: &Counters| counted.tokens / counted.seconds;
    for ((_, name), sum) in KINDS.iter().zip(&sums) {
        let (ratio, share) = (rate(sum) / rate(&sums[0]), sum.masks / sum.steps * 100.0);
        println!("| {name} | {:.0} | {ratio:.2} | {share:.1} % |", rate(sum));
    }
    Ok(())
}

/// Runs streams of one kind and returns the increase of the server's counters.
fn measure(address: &str, kind: Kind, args: &Args) -> Outcome<Counters> {
    let (done, number) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let client = || -> Outcome {
            let agent = ureq::Agent::new_with_defaults();
            while !done.load(Relaxed) {
                let mut answer = agent
                    .post(format!("{address}/generate"))
                    .send(body(kind, number.fetch_add(1, Relaxed)).to_string())?;
                answer.body_mut().as_reader().read_to_end(&mut Vec::new())?;
            }
            Ok(())
        };
        let clients: Vec<_> = (0..args.clients).map(|_| scope.spawn(client)).collect();
        std::thread::sleep(Duration::from_secs(1));
        let (begun, before) = (Instant::now(), Counters::read(address));
        std::thread::sleep(Duration::from_secs(args.seconds));
        let (seconds, after) = (begun.elapsed().as_secs_f64(), Counters::read(address));
        done.store(true, Relaxed);
        for client in clients {
            client.join().map_err(|_| "a client panicked")??;
        }
        let (before, after) = (before?, after?);
        Ok(Counters {
            tokens: after.tokens - before.tokens,
            steps: after.steps - before.steps,
            masks: after.masks - before.masks,
            seconds,
        })
    })
}

/// The request with this number. Typical schemas take turns.
fn body(kind: Kind, number: u64) -> Value {
    let mut body = json!({
        "prompt": "Write about the capital of France as JSON: ",
        "stream": true, "max_tokens": 128, "temperature": 1.0, "seed": number,
    });
    if kind == Kind::Unguided {
        body["ignore_eos"] = json!(true);
        return body;
    }
    body["forced_text"] = json!(kind == Kind::Forced);
    let text = json!({"type": "string"});
    let schemas = [
        json!({"type": "object", "properties": {"name": text, "population": {"type": "integer", "minimum": 0},
            "country": {"enum": ["France", "Germany", "Italy", "Spain"]}, "description": text},
            "required": ["name", "population", "country", "description"], "additionalProperties": false}),
        json!({"type": "array", "minItems": 2, "maxItems": 8, "items": {"type": "object", "properties": {
            "title": {"type": "string", "maxLength": 40}, "score": {"type": "number"}, "seen": {"type": "boolean"}},
            "required": ["title", "score", "seen"]}}),
        json!({"type": "object", "properties": {"date": {"type": "string", "format": "date"},
            "mail": {"type": "string", "format": "email"}, "tags": {"type": "array", "items": text, "uniqueItems": true}},
            "required": ["date", "mail", "tags"]}),
        json!({"type": "object", "additionalProperties": {"anyOf": [text, {"type": "integer"}, {"type": "null"}]},
            "minProperties": 3, "maxProperties": 10}),
    ];
    body["schema"] = schemas[number as usize % schemas.len()].clone();
    body
}

impl Counters {
    fn read(address: &str) -> Outcome<Counters> {
        let metrics = ureq::get(format!("{address}/metrics")).call()?.body_mut().read_to_string()?;
        let value = |name: &str| -> Outcome<f64> {
            let line = metrics.lines().find(|line| line.split([' ', '{']).next() == Some(name));
            let value = line.and_then(|line| line.rsplit(' ').next()).ok_or_else(|| format!("no metric {name}"))?;
            Ok(value.parse()?)
        };
        Ok(Counters {
            tokens: value("vllm:generation_tokens_total")?,
            steps: value("jig:step_seconds_total")?,
            masks: value("jig:mask_seconds_total")?,
            seconds: 0.0,
        })
    }
}

/// A server process. Dropping it kills the process.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(jig: &PathBuf) -> Outcome<Server> {
        let child = Command::new(jig)
            .args(["--model", "demo", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", jig.display()))?;
        let mut server = Server { child, address: String::new() };
        let mut log = BufReader::new(server.child.stderr.take().ok_or("the server has no log")?);
        let mut line = String::new();
        while log.read_line(&mut line)? > 0 {
            if let Some((_, address)) = line.split_once("listening on ") {
                server.address = address.split([' ', '\n', '\u{1b}']).next().unwrap_or_default().to_owned();
            }
            if line.contains("ready after ") {
                // The server would block if nobody read its log.
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                return Ok(server);
            }
            line.clear();
        }
        Err(format!("{} ended before it was ready", jig.display()).into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
