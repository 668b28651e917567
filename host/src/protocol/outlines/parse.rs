//! All fields of a body to one request.

use jig_guides::Source;

use super::constraint::{Asked, Choices};
use super::suspects::suspects;
use super::{names, unsupported};
use crate::protocol::fields::{self, Field, Refusal};
use crate::protocol::sampling::Sampling;
use crate::request::limits::{DEFAULT_MAX_TOKENS, MAX_LOGPROBS, MAX_N};
use crate::request::{self, Invalid, Prompt, TextRequest};

/// The body of `POST /generate`, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Generate {
    /// What it asks for.
    pub request: TextRequest,
    /// Whether the answer comes in pieces.
    pub stream: bool,
    /// The names of its fields.
    pub names: Names,
    /// Names in its schema that look like a misspelt keyword: a sentence for each.
    pub unknown_keywords: Vec<String>,
}

/// The field names that a client used, for refusals from the layers below, which do not know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// The field that the constraint comes from.
    constraint: &'static str,
}

impl Default for Names {
    fn default() -> Self {
        Self { constraint: "schema" }
    }
}

impl Names {
    /// The refusal of a request that could not be prepared.
    #[must_use]
    pub fn of_preparation(self, invalid: &Invalid) -> Refusal {
        match invalid.field {
            // The guides' errors are sentences of their own, with the place in the schema or regex.
            Some(request::Field::Constraint) => {
                let message = format!("`{}`: {}", self.constraint, invalid.problem);
                Refusal { param: Some(self.constraint.to_owned()), message, code: "invalid_value" }
            }
            Some(field) => Refusal::value(self.name(field), &invalid.problem),
            None => Refusal { param: None, message: invalid.problem.clone(), code: "invalid_value" },
        }
    }

    /// The refusal of a request that the engine did not take.
    #[must_use]
    pub fn of_engine(self, invalid: &Invalid) -> Refusal {
        let param = invalid.field.map(|field| self.name(field));
        let message = match param {
            Some(param) => format!("{param}: {}", invalid.problem),
            None => invalid.problem.clone(),
        };
        Refusal { param: param.map(str::to_owned), message, code: "invalid_value" }
    }

    /// The field that a part of a request comes from.
    fn name(self, field: request::Field) -> &'static str {
        match field {
            request::Field::Prompt | request::Field::Room { .. } => "prompt",
            request::Field::BadWords => "bad_words",
            request::Field::Constraint => self.constraint,
            request::Field::N => "n",
            request::Field::MaxTokens => "max_tokens",
            request::Field::AllowedTokenIds => "allowed_token_ids",
        }
    }
}

/// Reads the body of `POST /generate`. `vocab_size` is one past the largest token id.
///
/// # Errors
/// The first mistake found: see [`Refusal`].
pub fn parse(body: &[u8], vocab_size: u32) -> Result<Generate, Refusal> {
    let mut draft = Draft { vocab_size, sampling: Sampling::new(vocab_size), ..Draft::default() };
    for field in fields::read(body)? {
        draft.take(&field)?;
    }
    draft.finish()
}

/// What has been read so far.
#[derive(Default)]
struct Draft {
    vocab_size: u32,
    prompt: Option<Prompt>,
    schema: Option<Asked>,
    regex: Option<Asked>,
    grammar: Option<Asked>,
    structured_outputs: Option<Asked>,
    choices: Choices,
    /// Whether names in the schema that look like a misspelt keyword are refused.
    strict_schema: Option<bool>,
    stream: bool,
    /// `Some(None)`: `null` was sent, which asks for no limit.
    max_tokens: Option<Option<u32>>,
    sampling: Sampling,
}

impl Draft {
    fn take(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        if let Some(result) = unsupported::check(field) {
            return result;
        }
        if !names::is_known(&field.name) {
            return Err(Refusal::unknown(&field.name, &names::remedy(&field.name)));
        }
        if field.is_null() {
            if field.name == "max_tokens" {
                self.max_tokens = Some(None);
            }
            return Ok(());
        }
        if self.sampling.take(field)? {
            return Ok(());
        }
        let params = &mut self.sampling.params;
        match field.name.as_str() {
            "prompt" => self.prompt = Some(prompt(field, self.vocab_size)?),
            "schema" => self.schema = Some(Asked::schema(field)?),
            "regex" => self.regex = Some(Asked::regex(field)?),
            "grammar" => self.grammar = Some(Asked::grammar(field)?),
            "structured_outputs" => self.structured_outputs = Asked::structured_outputs(field)?,
            "whitespace" => self.choices.whitespace(field)?,
            "property_order" => self.choices.property_order(field)?,
            "formats" => self.choices.formats(field)?,
            "digits" => self.choices.digits(field)?,
            "strict_schema" => self.strict_schema = Some(field.boolean()?),
            "stream" => self.stream = field.boolean()?,
            "n" => params.n = field.integer(1..=i128::from(MAX_N), "an integer from 1 to 16384")? as u32,
            "max_tokens" => {
                let what = "a positive integer, or null for no limit";
                self.max_tokens = Some(Some(field.integer(1..=i128::from(u32::MAX), what)? as u32));
            }
            "logprobs" => params.sampling.logprobs = logprobs(field)?,
            name => return Err(Refusal::unsupported(name, "leave it out")),
        }
        Ok(())
    }

    /// What the fields ask for together.
    fn finish(mut self) -> Result<Generate, Refusal> {
        let remedy = "give the text to continue, or a list of token ids";
        let prompt = self.prompt.ok_or_else(|| Refusal::missing("prompt", remedy))?;
        // Beside a schema a regex is passed over, as Outlines does it. Every other pair is a mistake.
        let first = self.schema.as_ref().or(self.regex.as_ref());
        for (asked, param) in [(&self.grammar, "grammar"), (&self.structured_outputs, "structured_outputs")] {
            let before = first.or(self.grammar.as_ref().filter(|_| param != "grammar"));
            if let (Some(_), Some(other)) = (asked, before) {
                let rest = format_args!("is given together with `{}`; give one of the two", other.param);
                return Err(Refusal::value(param, rest));
            }
        }
        let mut asked = self.schema.or(self.regex).or(self.grammar).or(self.structured_outputs);
        self.choices.apply(&mut asked)?;
        self.sampling.settle();
        let Sampling { mut params, bad_words, .. } = self.sampling;
        // A guide ends the text by itself.
        let default = if asked.is_some() { None } else { Some(DEFAULT_MAX_TOKENS) };
        params.max_tokens = self.max_tokens.unwrap_or(default);
        if let Some(most) = params.max_tokens
            && params.min_tokens > most
        {
            let by_default = if self.max_tokens.is_none() { " (its default)" } else { "" };
            let rest = format_args!("is {}, more than `max_tokens`, which is {most}{by_default}", params.min_tokens);
            return Err(Refusal::value("min_tokens", rest));
        }
        if params.sampling.temperature == 0.0 && params.n > 1 {
            let rest = "must be 1 where `temperature` is 0: all outputs would be the same";
            return Err(Refusal::value("n", rest));
        }
        let unknown_keywords = unknown_keywords(asked.as_ref(), self.strict_schema)?;
        let names = asked.as_ref().map_or_else(Names::default, |asked| Names { constraint: asked.param });
        let constraint = asked.map(|asked| asked.constraint);
        let request = TextRequest { prompt, constraint, params, bad_words };
        Ok(Generate { request, stream: self.stream, names, unknown_keywords })
    }
}

/// Names in the schema that look like a misspelt keyword.
fn unknown_keywords(asked: Option<&Asked>, strict: Option<bool>) -> Result<Vec<String>, Refusal> {
    let schema = asked.and_then(|asked| match &asked.constraint.source {
        Source::JsonSchema(schema) => Some((asked.param, schema)),
        _ => None,
    });
    let Some((param, schema)) = schema else {
        let rest = "is about a schema, and none is given; leave it out, or give `schema`";
        return if strict.is_some() { Err(Refusal::value("strict_schema", rest)) } else { Ok(Vec::new()) };
    };
    let found: Vec<String> = suspects(schema).iter().map(ToString::to_string).collect();
    match (strict, found.is_empty()) {
        (Some(true), false) => Err(Refusal::value(param, format_args!("has unknown keywords: {}", found.join("; ")))),
        _ => Ok(found),
    }
}

fn prompt(field: &Field<'_>, vocab_size: u32) -> Result<Prompt, Refusal> {
    if field.value.get().starts_with('"') {
        return field.string().map(Prompt::Text);
    }
    let what = "a string, or a list of at least one token id";
    let tokens = field.token_ids(vocab_size, what)?;
    if tokens.is_empty() { Err(field.must_be(what)) } else { Ok(Prompt::Tokens(tokens)) }
}

fn logprobs(field: &Field<'_>) -> Result<Option<u32>, Refusal> {
    if let Ok(wanted) = field.boolean() {
        return Ok(wanted.then_some(1));
    }
    Ok(Some(field.integer(0..=i128::from(MAX_LOGPROBS), "an integer from 0 to 20")? as u32))
}
