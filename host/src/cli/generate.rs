//! `jig generate`: one answer on the terminal, without a server.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;

use clap::Args;
use serde_json::{Map, Value, json};

use super::load::{LoadArgs, Loaded};
use super::{CommandResult, MODEL_FREED_WITHIN};
use crate::protocol::outlines;
use crate::request::Event;

#[derive(Args, Clone, Debug)]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// The prompt; standard input if it is absent or `-`
    prompt: Option<String>,
    /// JSON Schema that the answer must match: a file, or the schema itself
    #[arg(long, value_name = "FILE|JSON", conflicts_with = "regex", help_heading = "Answer")]
    schema: Option<String>,
    /// Regular expression that the answer must match
    #[arg(long, help_heading = "Answer")]
    regex: Option<String>,
    /// Maximum number of tokens in the answer [default: 16, or until a guided answer is complete]
    #[arg(long, value_name = "TOKENS", help_heading = "Answer")]
    max_tokens: Option<u32>,
    /// 0 takes the most likely token; higher is more varied [default: 1]
    #[arg(long, allow_negative_numbers = true, help_heading = "Answer")]
    temperature: Option<f64>,
    /// Keep the most likely tokens whose probabilities sum to this [default: 1]
    #[arg(long, allow_negative_numbers = true, help_heading = "Answer")]
    top_p: Option<f64>,
    /// Keep this many of the most likely tokens [default: all]
    #[arg(long, allow_negative_numbers = true, help_heading = "Answer")]
    top_k: Option<i64>,
    /// A string that ends the answer; may be given more than once
    #[arg(long, help_heading = "Answer")]
    stop: Vec<String>,
}

pub(super) fn run(args: &GenerateArgs) -> CommandResult {
    let body = args.body()?;
    let loaded = args.load.load()?;
    let engine = loaded.engine.clone();
    let answered = answer(&body, loaded);
    engine.finish(MODEL_FREED_WITHIN);
    answered
}

/// Prints an answer as it is generated.
fn answer(body: &Value, loaded: Loaded) -> CommandResult {
    let Loaded { engine, preparation, .. } = loaded;
    let asked = outlines::parse(body.to_string().as_bytes(), engine.info().vocab_size)?;
    let prepared = preparation.prepare(asked.request).map_err(|invalid| asked.names.of_preparation(&invalid))?;
    let mut stream = engine.submit(prepared.request)?;
    let mut out = std::io::stdout().lock();
    while let Some(event) = stream.blocking_recv() {
        match event {
            Event::Delta(delta) => {
                out.write_all(delta.text.as_bytes())?;
                out.flush()?;
            }
            Event::Finished { .. } => {}
            Event::Failed(error) => return Err(error.into()),
        }
    }
    if std::io::stdout().is_terminal() {
        writeln!(out)?;
    }
    Ok(())
}

impl GenerateArgs {
    /// The request as a client would send it, so that names, defaults and limits are the same.
    fn body(&self) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let prompt = match self.prompt.as_deref() {
            Some(prompt) if prompt != "-" => prompt.to_owned(),
            _ => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                text.strip_suffix('\n').map_or_else(|| text.clone(), str::to_owned)
            }
        };
        let mut body = Map::new();
        body.insert("prompt".to_owned(), prompt.into());
        let optional = [
            ("schema", self.schema.as_deref().map(schema_text).transpose()?.map(Value::from)),
            ("regex", self.regex.clone().map(Value::from)),
            ("max_tokens", self.max_tokens.map(Value::from)),
            ("temperature", self.temperature.map(|value| json!(value))),
            ("top_p", self.top_p.map(|value| json!(value))),
            ("top_k", self.top_k.map(Value::from)),
            ("stop", (!self.stop.is_empty()).then(|| json!(self.stop))),
        ];
        body.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Ok(Value::Object(body))
    }
}

/// The schema itself, or the contents of the file that is named.
fn schema_text(value: &str) -> Result<String, String> {
    if value.trim_start().starts_with(['{', '"']) || matches!(value.trim(), "true" | "false") {
        return Ok(value.to_owned());
    }
    std::fs::read_to_string(Path::new(value)).map_err(|error| {
        format!("--schema {value}: {error}; give a file, or the schema itself, which begins with a brace")
    })
}
