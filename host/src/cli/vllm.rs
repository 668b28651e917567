//! Flags of vLLM that start scripts have and that name nothing here. Those whose absence no answer shows are taken with a warning; those that
//! ask for something are refused, with what to do instead.

use std::ffi::OsString;

use serde_json::{Map, Value};

/// What becomes of a flag.
#[derive(Clone, Copy)]
enum Verdict {
    /// It is taken; why it makes no difference.
    Taken(&'static str),
    /// It is taken with one of these values; what to do instead of another one.
    Only(&'static [&'static str], &'static str),
    /// It is refused; what to do instead.
    Refused(&'static str),
    /// A JSON object, of which each member has a verdict of its own.
    StructuredOutputs,
}

use Verdict::{Only, Refused, StructuredOutputs, Taken};

/// Flags that are there or not.
const SWITCHES: &[(&str, Verdict)] = &[
    ("disable-fastapi-docs", Taken("the description of the API is a fixed text, at /openapi.json")),
    ("disable-frontend-multiprocessing", Taken("there is one process")),
    ("disable-hybrid-kv-cache-manager", Taken("there is none")),
    ("disable-log-requests", Taken("prompts are never logged")),
    ("disable-log-stats", Taken("statistics are at /metrics and not in the log")),
    ("disable-uvicorn-access-log", Taken("use --log-level warn for a quieter log")),
    ("enable-chunked-prefill", Taken("long prompts always are computed in pieces")),
    ("no-enable-chunked-prefill", Taken("long prompts always are computed in pieces")),
    ("enable-log-requests", Taken("each request is logged by its id and its times, never by its prompt")),
    ("no-enable-log-requests", Taken("prompts are never logged")),
    ("enable-prompt-tokens-details", Taken("usage always has them")),
    ("enable-reasoning", Taken("reasoning is told apart wherever the model marks it")),
    ("enable-request-id-headers", Taken("answers always have x-request-id")),
    ("enable-server-load-tracking", Taken("GET /load always answers")),
    ("enforce-eager", Taken("it is about CUDA graphs of another program")),
    ("trust-remote-code", Taken("no code of a model is run")),
    ("use-v2-block-manager", Taken("it is about another program's memory")),
    ("enable-lora", Refused("this server has no adapters; merge the adapter into the model's weights")),
];

/// Flags with a value.
const OPTIONS: &[(&str, Verdict)] = &[
    ("structured-outputs-config", StructuredOutputs),
    ("guided-decoding-backend", Only(GUIDES, "leave it out, and ask in the request for `whitespace`: \"compact\"")),
    (
        "guided-decoding-disable-any-whitespace",
        Refused("leave it out, and ask in the request for `whitespace`: \"compact\""),
    ),
    ("tool-strict-level", Taken("every call is held to its schema, strict or not")),
    ("api-server-count", Taken("there is one process")),
    ("block-size", Taken("it is about another program's memory")),
    ("distributed-executor-backend", Taken("one device does all the work")),
    ("limit-mm-per-prompt", Taken("the model reads text only")),
    ("load-format", Only(&["auto", "safetensors"], "leave it out: weights are read from safetensors or ONNX files")),
    ("max-seq-len-to-capture", Taken("it is about CUDA graphs of another program")),
    ("stream-interval", Taken("chunks go out as they come")),
    ("swap-space", Taken("it is about another program's memory")),
    ("tokenizer-mode", Only(&["auto", "hf"], "leave it out: the tokenizer is read from tokenizer.json")),
    ("uvicorn-log-level", Taken("use --log-level")),
    ("tensor-parallel-size", Only(&["1"], ONE_DEVICE)),
    ("pipeline-parallel-size", Only(&["1"], ONE_DEVICE)),
    ("data-parallel-size", Only(&["1"], ONE_DEVICE)),
    ("kv-cache-dtype", Only(&["auto"], "leave it out: the KV cache has the type of the weights")),
    ("logprobs-mode", Only(&["raw_logprobs"], "leave it out: log-probabilities are those of the raw logits")),
    ("runner", Only(&["auto", "generate"], "leave it out: this server generates text only")),
    ("task", Only(&["auto", "generate"], "leave it out: this server generates text only")),
    ("quantization", Refused("leave it out: weights are used in the type in which they are stored, see --dtype")),
    ("hf-overrides", Refused("change config.json in a copy of the model's directory")),
    ("rope-scaling", Refused("change config.json in a copy of the model's directory")),
    ("lora-modules", Refused("this server has no adapters; merge the adapter into the model's weights")),
    ("reasoning-parser-plugin", Refused("no code is loaded; use --reasoning-parser with one of its names")),
    ("tool-parser-plugin", Refused("no code is loaded; use --tool-call-parser with one of its names")),
];

/// The libraries of vLLM that make masks. Which one makes them shows in no answer.
const GUIDES: &[&str] = &["auto", "xgrammar", "guidance", "outlines", "lm-format-enforcer"];
const ONE_DEVICE: &str = "leave it out, or start one server for each device behind a balancer";

/// A command line without the flags that were taken, and a warning for each of them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Taking {
    pub(super) rest: Vec<OsString>,
    pub(super) warnings: Vec<String>,
}

/// Takes vLLM's flags out of a command line, the program's name included, if it is one that serves.
///
/// # Errors
/// A flag that asks for what there is not, with what to do instead.
pub(super) fn take(arguments: impl IntoIterator<Item = OsString>) -> Result<Taking, String> {
    let mut taking = Taking::default();
    let mut arguments = arguments.into_iter().peekable();
    taking.rest.extend(arguments.next());
    let serves =
        arguments.peek().and_then(|word| word.to_str()).is_none_or(|word| word.starts_with('-') || word == "serve");
    while let Some(argument) = arguments.next() {
        let Some(flag) = argument.to_str().filter(|_| serves).and_then(|text| text.strip_prefix("--")) else {
            taking.rest.push(argument);
            continue;
        };
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value.to_owned())));
        let name = name.replace('_', "-");
        if let Some(verdict) = verdict(SWITCHES, &name) {
            taking.warnings.push(judged(&name, verdict, "")?);
            continue;
        }
        let member = name.strip_prefix("structured-outputs-config.");
        let verdict = match member {
            Some(_) => Some(StructuredOutputs),
            None => verdict(OPTIONS, &name),
        };
        let Some(verdict) = verdict else {
            taking.rest.push(argument);
            continue;
        };
        let value = value.or_else(|| arguments.next().map(|value| value.to_string_lossy().into_owned()));
        let value = value.ok_or_else(|| format!("--{name} needs a value"))?;
        taking.warnings.push(match member {
            Some(member) => member_judged(&name, &member.replace('-', "_"), &text_or_json(&value))?,
            None => judged(&name, verdict, &value)?,
        });
    }
    Ok(taking)
}

fn verdict(flags: &[(&str, Verdict)], name: &str) -> Option<Verdict> {
    flags.iter().find(|(known, _)| *known == name).map(|(_, verdict)| *verdict)
}

/// The warning for a flag, or its refusal.
fn judged(name: &str, verdict: Verdict, value: &str) -> Result<String, String> {
    match verdict {
        Taken(why) => Ok(format!("--{name} does nothing: {why}")),
        Only(values, _) if values.contains(&value) => {
            Ok(format!("--{name} {value} does nothing: it is always so, or no answer shows it"))
        }
        Only(_, remedy) => Err(format!("--{name} {value} is a flag of vLLM that can't be obeyed; {remedy}")),
        Refused(remedy) => Err(format!("--{name} is a flag of vLLM that can't be obeyed; {remedy}")),
        StructuredOutputs => {
            let members: Map<String, Value> =
                serde_json::from_str(value).map_err(|error| format!("--{name} {value}: not a JSON object: {error}"))?;
            for (member, value) in &members {
                member_judged(name, member, value)?;
            }
            Ok(format!("--{name} does nothing: which library makes masks is this server's own business"))
        }
    }
}

/// The warning for a member of vLLM's configuration of structured outputs, or its refusal.
fn member_judged(flag: &str, member: &str, value: &Value) -> Result<String, String> {
    let remedy = match (member, value) {
        (_, Value::Null | Value::Bool(false)) => None,
        ("backend", Value::String(name)) if GUIDES.contains(&name.as_str()) => None,
        ("disable_fallback", Value::Bool(true)) => None,
        ("reasoning_parser", Value::String(name)) if name.is_empty() => None,
        ("backend", _) => Some("use one of the backends auto, xgrammar, guidance, outlines and lm-format-enforcer"),
        ("reasoning_parser", _) => Some("use --reasoning-parser"),
        ("disable_any_whitespace", _) => Some("leave it out, and ask in the request for `whitespace`: \"compact\""),
        ("disable_additional_properties", _) => {
            Some("leave it out, and set `structured_outputs.disable_additional_properties` in the request")
        }
        ("enable_in_reasoning", _) => Some("leave it out: the form begins after the reasoning"),
        _ => Some("leave it out"),
    };
    match remedy {
        None => Ok(format!("--{flag} does nothing: which library makes masks is this server's own business")),
        Some(remedy) => Err(format!("--{flag}: `{member}` {value} can't be obeyed; {remedy}")),
    }
}

/// JSON where it is JSON, else the text.
fn text_or_json(value: &str) -> Value {
    serde_json::from_str(value).unwrap_or_else(|_| value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> Result<(String, usize), String> {
        let taking = take(line.split(' ').map(OsString::from))?;
        let rest: Vec<String> = taking.rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Ok((rest.join(" "), taking.warnings.len()))
    }

    #[test]
    fn flags_that_make_no_difference_are_taken_with_a_warning_each() {
        for (line, rest, warnings) in [
            ("jig --model demo", "jig --model demo", 0),
            ("jig serve --trust-remote-code --model demo --enforce-eager", "jig serve --model demo", 2),
            ("jig --guided-decoding-backend xgrammar --port 1", "jig --port 1", 1),
            ("jig --guided_decoding_backend=outlines", "jig", 1),
            ("jig --structured-outputs-config {\"backend\":\"xgrammar\",\"disable_any_whitespace\":false}", "jig", 1),
            ("jig --structured-outputs-config.backend guidance --tool-strict-level 2", "jig", 2),
            ("jig --tensor-parallel-size 1 --kv-cache-dtype=auto", "jig", 2),
            // Other commands have none of them.
            ("jig generate --task generate", "jig generate --task generate", 0),
        ] {
            assert_eq!(taken(line), Ok((rest.to_owned(), warnings)), "{line}");
        }
    }

    #[test]
    fn flags_that_ask_for_something_are_refused_with_what_to_do() {
        for (line, says) in [
            ("jig --tensor-parallel-size 2", "one server for each device"),
            ("jig --quantization awq", "--dtype"),
            ("jig --enable-lora", "merge"),
            ("jig --guided-decoding-backend xgrammar:disable-any-whitespace", "`whitespace`"),
            ("jig --structured-outputs-config {\"disable_any_whitespace\":true}", "`whitespace`"),
            ("jig --structured-outputs-config.enable_in_reasoning true", "after the reasoning"),
            ("jig --structured-outputs-config {\"reasoning_parser\":\"qwen3\"}", "--reasoning-parser"),
            ("jig --structured-outputs-config xgrammar", "JSON"),
            ("jig --kv-cache-dtype", "needs a value"),
        ] {
            let error = taken(line).expect_err(line);
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn no_flag_of_this_program_is_taken() {
        use clap::CommandFactory;
        let command = super::super::CommandLine::command();
        let own: Vec<&str> = command.get_arguments().filter_map(|argument| argument.get_long()).collect();
        for (name, _) in SWITCHES.iter().chain(OPTIONS) {
            assert!(!own.contains(name), "--{name}");
        }
    }
}
