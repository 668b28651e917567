//! Fields that the bodies of all endpoints that generate have.

use std::collections::BTreeMap;

use super::constraint::{self, Asked, Constraints};
use super::failure::{Names, check_model, refused};
use super::settings::{Defaults, Settings};
use super::unknown::Ignored;
use crate::protocol::fields::{Field, Refusal};
use crate::protocol::neutral::{self, Neutral, is_empty, is_false, is_no_detection, is_true, never, only};
use crate::protocol::sampling::{self, Sampling};
use crate::protocol::{ApiError, Service};
use crate::request::GenerationParams;

/// The most outputs of one prompt. Clients of OpenAI's own making take no more.
const MAX_N: u32 = 128;

/// Reads a body off the threads that serve connections, and checks that it names this model. `prompt` is the field that the prompt comes
/// from.
///
/// # Errors
/// What the client is told of a body that is wrong.
pub(super) async fn read<T: Send + 'static>(
    service: &Service,
    prompt: &'static str,
    body: impl AsRef<[u8]> + Send + 'static,
    parse: fn(&[u8], u32, &Settings) -> Result<T, Refusal>,
    common: fn(&T) -> &Common,
) -> Result<T, ApiError> {
    let info = service.engine().info();
    let (vocab_size, names) = (info.vocab_size, Names::new(prompt, info.max_model_len));
    let shared = service.clone();
    let parsed = service.stages().read(move || parse(body.as_ref(), vocab_size, shared.settings())).await;
    let asked = parsed.map_err(|error| names.unprepared(error))?.map_err(refused)?;
    check_model(service, common(&asked).model.as_deref())?;
    common(&asked).ignored.names().iter().for_each(|name| service.ignored_fields().add(name));
    Ok(asked)
}

const LEAVE_OUT: &str = "leave it out";

/// Fields of OpenAI and vLLM that ask for what there is not, unless their value asks for nothing.
const NEUTRAL: &[Neutral] = &[
    only("spaces_between_special_tokens", is_true, "leave it out or send true"),
    only("detokenize", is_true, "leave it out or send true: the answer is text"),
    only("flat_logprobs", is_false, "leave it out or send false"),
    only("use_beam_search", is_false, "leave it out or send false"),
    only("beam_width", |value| value == 1, LEAVE_OUT),
    only("length_penalty", |value| value.as_f64() == Some(1.0), LEAVE_OUT),
    only("early_stopping", is_false, LEAVE_OUT),
    only("repetition_detection", is_no_detection, LEAVE_OUT),
    only("logits_processors", is_empty, LEAVE_OUT),
    never("logprob_token_ids", "leave it out, or use `logprobs`"),
    never("truncate_prompt_tokens", "leave it out and send a shorter prompt"),
    never("watermarking", LEAVE_OUT),
    never("prompt_embeds", "leave it out and send a text or token ids"),
    never("kv_transfer_params", LEAVE_OUT),
    never("data_parallel_rank", LEAVE_OUT),
    never("session_id", LEAVE_OUT),
    only("mm_processor_kwargs", is_empty, LEAVE_OUT),
    only("media_io_kwargs", is_empty, LEAVE_OUT),
    only("vllm_xargs", is_empty, LEAVE_OUT),
    only("priority", |value| value == 0, "leave it out or send 0"),
    only("stream_interval", |value| value == 1, "leave it out or send 1"),
    only("modalities", |value| *value == serde_json::json!(["text"]), r#"leave it out or send ["text"]"#),
    never("audio", "leave it out: this model writes text only"),
    never("web_search_options", "leave it out: this server searches nothing"),
];

/// Fields that concern accounts, billing and caches of a service, or that only hint at something. They change no answer.
const INERT: &[&str] = &[
    "user",
    "metadata",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "prediction",
    "verbosity",
    "moderation",
    // Entries of a cache that another salt would not share: there are none.
    "cache_salt",
];

/// The fields that [`Draft::take`] reads itself.
const OWN: &[&str] = &[
    "model",
    "n",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "return_token_ids",
    "return_tokens_as_token_ids",
    "request_id",
];

/// What has been read so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    sampling: Sampling,
    constraints: Constraints,
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    common: Common,
    has_stream_options: bool,
    strict_fields: bool,
    /// The names that the endpoint itself knows.
    endpoint: &'static [&'static str],
}

/// What of a body is the same for all endpoints, once it is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Common {
    /// The name by which the request calls the model, if it does.
    pub(super) model: Option<String>,
    pub(super) stream: bool,
    pub(super) usage: UsageWanted,
    /// Whether the answer has the ids of all tokens.
    pub(super) token_ids: bool,
    /// Whether log-probabilities name tokens by id.
    pub(super) tokens_as_ids: bool,
    /// The field that limits the output, by the name that the client used.
    pub(super) limit: &'static str,
    /// The client's own name for the request.
    pub(super) request_id: Option<String>,
    pub(super) ignored: Ignored,
}

/// Which usage a stream tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct UsageWanted {
    /// A chunk at the end.
    pub(super) at_end: bool,
    /// In every chunk, so far.
    pub(super) always: bool,
}

impl Draft {
    /// Nothing yet. `endpoint` are the names of the fields that the endpoint reads itself.
    pub(super) fn new(vocab_size: u32, settings: &Settings, endpoint: &'static [&'static str]) -> Self {
        let mut sampling = Sampling::new(vocab_size);
        let Defaults { temperature, top_p, top_k, min_p, repetition_penalty, .. } = settings.defaults;
        let own = &mut sampling.params.sampling;
        own.temperature = temperature.unwrap_or(own.temperature);
        own.top_p = top_p.unwrap_or(own.top_p);
        own.top_k = top_k.unwrap_or(own.top_k);
        own.min_p = min_p.unwrap_or(own.min_p);
        own.repetition_penalty = repetition_penalty.unwrap_or(own.repetition_penalty);
        let usage = UsageWanted { at_end: settings.always_usage, always: false };
        let common = Common { usage, tokens_as_ids: settings.tokens_as_ids, ..Common::default() };
        Self { sampling, common, strict_fields: settings.strict_fields, endpoint, ..Self::default() }
    }

    /// Reads a field that is none of the endpoint's own.
    ///
    /// # Errors
    /// A value that it may not have, and a field that is neither known nor to be ignored.
    pub(super) fn take(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        if let Some(result) = neutral::check(NEUTRAL, field) {
            return result;
        }
        let name = field.name.as_str();
        if INERT.contains(&name) {
            return Ok(());
        }
        let is_known = OWN.contains(&name) || sampling::NAMES.contains(&name) || constraint::NAMES.contains(&name);
        if !is_known {
            let of_tables = NEUTRAL.iter().map(|neutral| neutral.name);
            let names = [OWN, sampling::NAMES, constraint::NAMES, INERT, self.endpoint].into_iter().flatten().copied();
            return self.common.ignored.take(field, self.strict_fields, names.chain(of_tables));
        }
        if field.is_null() {
            return Ok(());
        }
        let common = &mut self.common;
        match name {
            "model" => common.model = Some(field.string()?),
            "n" => self.sampling.params.n = field.integer(1..=i128::from(MAX_N), "an integer from 1 to 128")? as u32,
            "stream" => common.stream = field.boolean()?,
            "stream_options" => {
                common.usage = stream_options(field, common.usage)?;
                self.has_stream_options = true;
            }
            "max_tokens" => self.max_tokens = Some(max_tokens(field)?),
            "max_completion_tokens" => self.max_completion_tokens = Some(max_tokens(field)?),
            "return_token_ids" => common.token_ids = field.boolean()?,
            "return_tokens_as_token_ids" => common.tokens_as_ids |= field.boolean()?,
            "request_id" => common.request_id = Some(field.string()?).filter(|id| !id.is_empty()),
            // Zero, which OpenAI allows, keeps the most likely token alone.
            "top_p" if field.number("a number", |_| true).is_ok_and(|p| p == 0.0) => {
                let sampling = &mut self.sampling.params.sampling;
                (sampling.top_p, sampling.top_k) = (1.0, 1);
            }
            _ => {
                if !self.sampling.take(field)? {
                    self.constraints.take(field)?;
                }
            }
        }
        Ok(())
    }

    /// What all fields ask for together.
    ///
    /// # Errors
    /// Fields that contradict each other.
    pub(super) fn finish(self) -> Result<Finished, Refusal> {
        let Self { mut sampling, constraints, max_tokens, max_completion_tokens, mut common, .. } = self;
        common.limit = if max_completion_tokens.is_some() { "max_completion_tokens" } else { "max_tokens" };
        if self.has_stream_options && !common.stream {
            return Err(Refusal::value("stream_options", "is for streams; leave it out, or send `stream`: true"));
        }
        sampling.settle();
        let asked = constraints.finish()?;
        let Sampling { params, bad_words, .. } = sampling;
        Ok(Finished { params, bad_words, asked, max_tokens: max_completion_tokens.or(max_tokens), common })
    }
}

/// The fields of all endpoints, read.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    pub(super) params: GenerationParams,
    pub(super) bad_words: Vec<String>,
    pub(super) asked: Option<Asked>,
    /// As the request has it: -1 for no limit.
    pub(super) max_tokens: Option<i64>,
    pub(super) common: Common,
}

/// At least 0, or -1 for no limit.
fn max_tokens(field: &Field<'_>) -> Result<i64, Refusal> {
    let most = field.integer(-1..=i128::from(i64::MAX), "a positive integer, or null for no limit")?;
    Ok(most as i64)
}

/// Refuses a least number of tokens above the most.
pub(super) fn check_least(params: &GenerationParams) -> Result<(), Refusal> {
    match params.max_tokens {
        Some(most) if params.min_tokens > most => {
            let rest = format_args!("is {}, more than the most tokens, which is {most}", params.min_tokens);
            Err(Refusal::value("min_tokens", rest))
        }
        _ => Ok(()),
    }
}

fn stream_options(field: &Field<'_>, default: UsageWanted) -> Result<UsageWanted, Refusal> {
    let mut wanted = default;
    let members: BTreeMap<String, Field<'_>> =
        field.object("an object")?.into_iter().map(|member| (member.name.clone(), member)).collect();
    let flag = |name: &str| match members.get(name).filter(|member| !member.is_null()) {
        Some(member) => Field { name: format!("{}.{name}", field.name), value: member.value }.boolean(),
        None => Ok(false),
    };
    wanted.at_end |= flag("include_usage")?;
    wanted.always = flag("continuous_usage_stats")? && wanted.at_end;
    Ok(wanted)
}
