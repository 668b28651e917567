//! The prompt of a chat, with its tools, and what its answers must match.

use std::collections::HashMap;
use std::sync::Arc;

use jig_guides::{CompileError, Options, Part, Source};
use serde_json::Value;

use super::parse::Chat;
use crate::output::arguments::Kinds;
use crate::output::describe::without_tools;
use crate::output::{Calls, Family, Forms, Start, Thinking};
use crate::prepare::{Prepared, Unprepared};
use crate::protocol::fields::Refusal;
use crate::protocol::openai::constraint;
use crate::protocol::openai::failure::{Names, refused};
use crate::protocol::openai::settings::ReasoningField;
use crate::protocol::openai::tools::{Offer, after_thoughts};
use crate::protocol::{ApiError, Service};
use crate::request::{Constraint, Field, Invalid, Prompt, TextRequest, ThoughtLimit};

/// The most keywords of one request that are left out.
const MOST_RELAXED: usize = 64;

/// A request that is ready, and how its answers are read.
pub(super) struct Ready {
    pub(super) prepared: Prepared,
    pub(super) thinking: Option<(&'static Thinking, Start)>,
    pub(super) family: Option<&'static Family>,
    pub(super) kinds: Arc<HashMap<String, Kinds>>,
    pub(super) calls: Option<CallsWanted>,
    /// The keywords of schemas of tools that were left out.
    pub(super) relaxed: Option<String>,
}

/// What is to be known of the calls of answers.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol::openai) struct CallsWanted {
    /// How the model writes them.
    pub(super) family: &'static Family,
    /// Calls in the conversation so far.
    pub(super) number: usize,
    /// Whether the request names the one tool to be called.
    pub(super) is_named: bool,
}

/// Makes the prompt and compiles the guide.
///
/// # Errors
/// What the client is told instead of an answer.
pub(super) async fn prepare(service: &Service, mut asked: Chat, names: &Names) -> Result<Ready, ApiError> {
    let Forms { calls, thinking } = service.forms();
    let mut offer = asked.offer.take();
    let family = describe_tools(service, &mut asked, offer.as_ref(), calls)?;
    let number = asked.conversation.conversation.messages.iter().map(calls_in).sum();
    let rendered = asked.conversation.prompt(service, names).await?;
    let thinking = thinking.map(|thinking| (thinking, thinking.start(&rendered.text)));

    let tokenizer = service.stages().tokenizer();
    let resolved = |asked: constraint::Asked| {
        asked.resolved(service.special_tokens(), |name| tokenizer.token_id(name).is_some()).map_err(refused)
    };
    let response = asked.constraint.map(resolved).transpose()?;
    let mut params = asked.params;
    params.spoken_tokens = service.special_tokens().spoken(family, thinking.map(|(thinking, _)| thinking));
    params.spoken_tokens.extend(constraint::spoken(response.as_ref()));
    params.spoken_tokens.sort_unstable();
    params.spoken_tokens.dedup();
    params.thoughts = asked.thinking_tokens.zip(thinking).map(|(most, thinking)| limit_of(most, thinking));
    if let Some(family) = family {
        add_ends_of_turns(service, family, &mut params.stop_token_ids);
    }
    // Stop strings end an answer and no thought, and thoughts end at their limit: a guide knows thoughts and answer apart.
    let tells_apart = !params.stop.is_empty() || params.thoughts.is_some();
    let mut request =
        TextRequest { prompt: Prompt::Rendered(rendered), constraint: None, params, bad_words: asked.bad_words };
    let prepared = loop {
        request.constraint = match (&offer, family) {
            (Some(offer), Some(family)) => {
                offer.constraint(family, service.special_tokens(), thinking, response.as_ref())
            }
            _ => answer_alone(service, thinking, response.clone(), tells_apart),
        };
        match service.stages().prepare(request.clone()).await {
            Ok(prepared) => break prepared,
            Err(error) => {
                let is_guide = matches!(&error, Unprepared::Invalid(Invalid { field: Some(Field::Constraint), .. }));
                let relaxed = match &mut offer {
                    Some(offer) if is_guide => relax(service, offer, names).await?,
                    _ => false,
                };
                if !relaxed {
                    return Err(told_of_tools(service, offer.as_ref(), error, names).await);
                }
            }
        }
    };
    let relaxed = offer.as_ref().and_then(Offer::relaxed);
    if let Some(relaxed) = &relaxed {
        tracing::info!("keywords of tools that are not enforced: {relaxed}");
    }
    let reads_calls = offer.as_ref().is_some_and(|offer| !offer.forbids_calls());
    let kinds = offer.as_ref().map(Offer::kinds).unwrap_or_default();
    let is_named = offer.as_ref().is_some_and(Offer::is_named);
    let family = family.filter(|_| reads_calls);
    let calls = family.map(|family| CallsWanted { family, number, is_named });
    // What is in channels is read in any case: the answer is one of them.
    let is_told = service.settings().reasoning_field != ReasoningField::None;
    let thinking = thinking.filter(|(thinking, _)| is_told || thinking.is_channel());
    Ok(Ready { prepared, thinking, family, kinds, calls, relaxed })
}

/// Gives the conversation its tools, in the template's way or in a system message. Returns how the model is to write calls.
fn describe_tools(
    service: &Service,
    asked: &mut Chat,
    offer: Option<&Offer>,
    calls: Calls,
) -> Result<Option<&'static Family>, ApiError> {
    let conversation = &mut asked.conversation.conversation;
    let is_told = !(service.settings().excludes_unused_tools && offer.is_some_and(Offer::forbids_calls));
    let tools = offer.filter(|_| is_told).map(Offer::rendered);
    match calls {
        Calls::Never => {
            if offer.is_some_and(Offer::requires_calls) {
                let rest = "wants a call, and this server reads none: it was started with --tool-call-parser none";
                return Err(refused(Refusal::value("tool_choice", rest)));
            }
            conversation.tools = tools;
            Ok(None)
        }
        Calls::Native(family) => {
            conversation.tools = tools;
            if let Some(offer) = offer {
                offer.check_names(family).map_err(refused)?;
            }
            Ok(offer.map(|_| family))
        }
        Calls::Described(family) => {
            let tools = tools.unwrap_or_default();
            if !tools.is_empty() || conversation.messages.iter().any(|message| calls_in(message) > 0) {
                conversation.messages = without_tools(&conversation.messages, &tools);
            }
            Ok(offer.map(|_| family))
        }
    }
}

/// The calls of a message.
fn calls_in(message: &Value) -> usize {
    message["tool_calls"].as_array().map_or(0, Vec::len)
}

/// What answers without calls must match.
fn answer_alone(
    service: &Service,
    thinking: Option<(&'static Thinking, Start)>,
    response: Option<Constraint>,
    tells_apart: bool,
) -> Option<Constraint> {
    let Some(thinking) = thinking else { return response };
    let free = || Constraint { source: Source::Tags(Part::free()), options: Options::default() };
    let response = response.or_else(|| (tells_apart && thinking.1 != Start::Answer).then(free))?;
    Some(after_thoughts(service.special_tokens(), thinking, &response))
}

/// The limit of this many tokens on thoughts.
fn limit_of(most: u32, (thinking, start): (&'static Thinking, Start)) -> ThoughtLimit {
    let (begin, end) = (thinking.begin.into(), thinking.end.into());
    ThoughtLimit { begin, end, most, is_begun: start == Start::Inside }
}

/// Adds the tokens that end a turn of the family and that no file of the model names.
fn add_ends_of_turns(service: &Service, family: &Family, stop: &mut Vec<u32>) {
    let tokenizer = service.stages().tokenizer();
    for token in family.end_of_turn.iter().filter_map(|name| tokenizer.token_id(name)) {
        if !tokenizer.end_tokens().contains(&token) && !stop.contains(&token) {
            stop.push(token);
        }
    }
}

/// Leaves out what no guide enforces of the tools' schemas. Returns whether there was something.
async fn relax(service: &Service, offer: &mut Offer, names: &Names) -> Result<bool, ApiError> {
    let mut has_changed = false;
    for place in offer.relaxable() {
        while offer.count_relaxed() < MOST_RELAXED {
            let constraint = offer.schema_alone(place);
            let why = service.stages().why_no_guide(&constraint).await.map_err(|error| names.unprepared(error))?;
            let Some(CompileError::Unsupported { at, keyword, .. }) = why else { break };
            if !offer.leave_out(place, &at, &keyword) {
                break;
            }
            has_changed = true;
        }
    }
    Ok(has_changed)
}

/// The error of a guide, told of the tool whose schema is at fault.
async fn told_of_tools(service: &Service, offer: Option<&Offer>, error: Unprepared, names: &Names) -> ApiError {
    let is_guide = matches!(&error, Unprepared::Invalid(Invalid { field: Some(Field::Constraint), .. }));
    if is_guide && let Some(offer) = offer {
        for place in offer.callable() {
            let why = service.stages().why_no_guide(&offer.schema_alone(place)).await;
            if let Ok(Some(why)) = why {
                let param = offer.param(place);
                return ApiError::new(400, "invalid_json_schema", format!("`{param}`: {why}")).with_param(param);
            }
        }
        let names = Names { constraint: "tools".to_owned(), ..names.clone() };
        return names.unprepared(error);
    }
    names.unprepared(error)
}
