//! All fields of a body to prompts and how to continue them.

use crate::protocol::fields::{self, Field, Refusal};
use crate::protocol::openai::body::{Common, Draft, Finished, check_least};
use crate::protocol::openai::constraint::Asked;
use crate::protocol::openai::settings::Settings;
use crate::request::limits::DEFAULT_MAX_TOKENS;
use crate::request::{GenerationParams, Prompt};

/// The most prompts of one body.
const MOST_PROMPTS: usize = 1024;

/// The fields of this endpoint alone.
const NAMES: &[&str] = &["prompt", "suffix", "echo", "best_of", "logprobs", "add_special_tokens", "prompt_logprobs"];

/// The body of `POST /v1/completions`, read and checked.
#[derive(Clone, Debug)]
pub(super) struct Completions {
    pub(super) prompts: Vec<Prompt>,
    /// Whether the prompt was a list of prompts.
    pub(super) is_list: bool,
    pub(super) add_special_tokens: bool,
    pub(super) echo: bool,
    pub(super) params: GenerationParams,
    pub(super) bad_words: Vec<String>,
    pub(super) constraint: Option<Asked>,
    pub(super) common: Common,
}

/// Reads a body. `vocab_size` is one past the largest token id.
///
/// # Errors
/// The first mistake found: see [`Refusal`].
pub(super) fn parse(body: &[u8], vocab_size: u32, settings: &Settings) -> Result<Completions, Refusal> {
    let mut draft = Draft::new(vocab_size, settings, NAMES);
    let (mut prompts, mut echo, mut best_of, mut logprobs, mut add_special_tokens) = (None, false, None, None, true);
    for field in fields::read(body)? {
        let name = field.name.as_str();
        if !NAMES.contains(&name) {
            draft.take(&field)?;
            continue;
        }
        if field.is_null() {
            continue;
        }
        match name {
            "prompt" => prompts = Some(read_prompts(&field, vocab_size)?),
            "suffix" => {
                if !field.string()?.is_empty() {
                    return Err(Refusal::unsupported(
                        "suffix",
                        "leave it out: this server does not fill in the middle",
                    ));
                }
            }
            "echo" => echo = field.boolean()?,
            "best_of" => best_of = Some(field.integer(1..=i128::from(u32::MAX), "a positive integer")? as u32),
            "logprobs" => logprobs = read_logprobs(&field, settings.max_logprobs)?,
            "prompt_logprobs" => {
                return Err(Refusal::unsupported(name, "leave it out: `echo` with `logprobs` scores the prompt"));
            }
            _ => add_special_tokens = field.boolean()?,
        }
    }
    let Finished { mut params, bad_words, asked, max_tokens, common } = draft.finish()?;
    let remedy = "give the text to continue, a list of token ids, or a list of either";
    let (prompts, is_list) = prompts.ok_or_else(|| Refusal::missing("prompt", remedy))?;
    if let Some(best_of) = best_of.filter(|best_of| *best_of != params.n) {
        let rest = format_args!("is {best_of}, and only the value of `n`, {}, is supported; leave it out", params.n);
        return Err(Refusal::value("best_of", rest));
    }
    params.sampling.logprobs = logprobs;
    if echo && (logprobs.is_some() || max_tokens == Some(0)) {
        params.prompt_logprobs = Some(logprobs.unwrap_or(0));
    }
    // A guide ends the text by itself.
    let default = if asked.is_some() { None } else { Some(DEFAULT_MAX_TOKENS) };
    params.max_tokens = match max_tokens {
        None => default,
        Some(-1) => None,
        Some(0) if !echo => {
            return Err(Refusal::value(
                "max_tokens",
                "must be a positive integer; 0 is for `echo`, which scores the prompt",
            ));
        }
        Some(0) if asked.is_some() => {
            return Err(Refusal::value(
                "max_tokens",
                "is 0, and an answer of a form is wanted; leave out one of the two",
            ));
        }
        Some(most) => Some(u32::try_from(most).unwrap_or(u32::MAX)),
    };
    check_least(&params)?;
    Ok(Completions { prompts, is_list, add_special_tokens, echo, params, bad_words, constraint: asked, common })
}

/// A text, token ids, or a list of either.
fn read_prompts(field: &Field<'_>, vocab_size: u32) -> Result<(Vec<Prompt>, bool), Refusal> {
    if field.value.get().starts_with('"') {
        return Ok((vec![Prompt::Text(field.string()?)], false));
    }
    let what = "a string, a list of token ids, or a list of at least one of either";
    let entries = field.list(what)?;
    let Some(first) = entries.first() else { return Err(field.must_be(what)) };
    if !first.value.get().starts_with(['"', '[']) {
        return Ok((vec![Prompt::Tokens(field.token_ids(vocab_size, what)?)], false));
    }
    if entries.len() > MOST_PROMPTS {
        let rest = format_args!("has {} entries, and at most {MOST_PROMPTS} are allowed", entries.len());
        return Err(Refusal::value("prompt", rest));
    }
    let read = |entry: &Field<'_>| {
        if entry.value.get().starts_with('"') {
            return entry.string().map(Prompt::Text);
        }
        let tokens = entry.token_ids(vocab_size, "a string or a list of token ids")?;
        if tokens.is_empty() {
            Err(entry.must_be("a list of at least one token id"))
        } else {
            Ok(Prompt::Tokens(tokens))
        }
    };
    Ok((entries.iter().map(read).collect::<Result<_, _>>()?, true))
}

fn read_logprobs(field: &Field<'_>, most: u32) -> Result<Option<u32>, Refusal> {
    if let Ok(wanted) = field.boolean() {
        return Ok(wanted.then_some(1));
    }
    let what = format!("an integer from 0 to {most} (--max-logprobs)");
    Ok(Some(field.integer(0..=i128::from(most), &what)? as u32))
}
