//! What every output must match, in all spellings that clients have for it: OpenAI's `response_format`, vLLM's `structured_outputs` and
//! the older `guided_*`, SGLang's, llama.cpp's and TGI's forms, and the fields of `POST /generate`.
//!
//! A request has one constraint. Two spellings of the same one are fine; two different ones are refused, since one of them would be
//! ignored.

//!
//! | module | what it holds |
//! |---|---|
//! | this one | the one constraint of all fields |
//! | `response_format` | `response_format` and `grammar` |
//! | `structured_outputs` | `structured_outputs` |
//! | `structural_tag` | outputs in which free text and guided text alternate |
//! | `json_text` | how the text of JSON is written |
//! | `closing` | a schema whose objects have no properties but those that it names |
//! | `members` | the members of an object by their paths |

mod closing;
mod json_text;
mod members;
mod response_format;
mod structural_tag;
mod structured_outputs;
#[cfg(test)]
mod tests;

use jig_guides::{Formats, Options, Order, Source, Whitespace};

use crate::output::SpecialTokens;
use crate::protocol::fields::{Field, Refusal, grammar_text, regex_text, schema_text};
use crate::request::Constraint;

/// The names of the fields that [`Constraints::take`] reads.
pub(super) const NAMES: &[&str] = &[
    "response_format",
    "structured_outputs",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "guided_json_object",
    "guided_whitespace_pattern",
    "guided_decoding_backend",
    "json_schema",
    "schema",
    "regex",
    "grammar",
    "ebnf",
    "gbnf",
    "lark",
    "whitespace",
    "property_order",
    "formats",
];

/// The constraint that was read so far, and how its guide is made.
#[derive(Clone, Debug, Default)]
pub(super) struct Constraints {
    /// Each with the field that asks for it.
    asked: Vec<(String, Source)>,
    whitespace: Option<(String, Whitespace)>,
    order: Option<(String, Order)>,
    formats: Option<(String, Formats)>,
    /// The field that wants objects closed.
    closes: Option<String>,
    /// The tokens that structural tags ask for by name, each with its path.
    tokens: Vec<(String, String)>,
    /// The path of an option of JSON within a structural tag.
    option_within: Option<String>,
}

/// The special tokens that a constraint asks for, rising: they are a part of what outputs say.
pub(super) fn spoken(constraint: Option<&Constraint>) -> Vec<u32> {
    match constraint.map(|constraint| &constraint.source) {
        Some(Source::Tags(part)) => SpecialTokens::of(part),
        _ => Vec::new(),
    }
}

/// A constraint, and the field that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) param: String,
    pub(super) constraint: Constraint,
    /// The tokens that it asks for by name, each with its path.
    tokens: Vec<(String, String)>,
}

impl Asked {
    /// The constraint in the tokens of a model: texts that spell special tokens are these tokens. `has_token` says whether the vocabulary
    /// has a token of a name.
    ///
    /// # Errors
    /// A token that the vocabulary has not, and special tokens where none can stand.
    pub(super) fn resolved(
        &self,
        special: &SpecialTokens,
        has_token: impl Fn(&str) -> bool,
    ) -> Result<Constraint, Refusal> {
        if let Some((param, name)) = self.tokens.iter().find(|(_, name)| !has_token(name)) {
            return Err(Refusal::value(
                param,
                format_args!("is `{name}`, a token that this model's vocabulary has not"),
            ));
        }
        let Constraint { source, options } = self.constraint.clone();
        let source = match source {
            Source::Tags(part) => {
                let resolved = special.resolved(part);
                Source::Tags(resolved.map_err(|problem| Refusal::value(&self.param, problem))?)
            }
            source => source,
        };
        Ok(Constraint { source, options })
    }

    /// Whether parts of the output are free.
    pub(super) fn has_free_text(&self) -> bool {
        matches!(self.constraint.source, Source::Tags(_))
    }
}

impl Constraints {
    /// Reads a field that is not null. Returns whether it is one of [`NAMES`].
    pub(super) fn take(&mut self, field: &Field<'_>) -> Result<bool, Refusal> {
        match field.name.as_str() {
            "response_format" => self.response_format(field)?,
            "structured_outputs" => self.structured_outputs(field)?,
            "guided_json" | "json_schema" | "schema" => self.json(field)?,
            "guided_regex" | "regex" => self.regex(field)?,
            "guided_choice" => self.choice(field)?,
            "guided_json_object" => self.json_object(field)?,
            "guided_grammar" | "ebnf" | "gbnf" | "lark" => self.grammar_text(field)?,
            "grammar" => self.grammar(field)?,
            "guided_whitespace_pattern" => self.whitespace_pattern(field)?,
            // Which library makes the masks is this server's business.
            "guided_decoding_backend" => _ = field.string()?,
            "whitespace" | "property_order" | "formats" => self.option(field)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The one constraint.
    ///
    /// # Errors
    /// Two different ones, or an option of JSON where there is no JSON.
    pub(super) fn finish(self) -> Result<Option<Asked>, Refusal> {
        let mut asked = self.asked.into_iter();
        let first = asked.next();
        if let Some((param, source)) = &first
            && let Some((other, _)) = asked.find(|(_, other)| other != source)
        {
            let rest = format_args!("asks for another form of the output than `{param}`; give one of the two");
            return Err(Refusal::value(&other, rest));
        }
        let mut options = Options::default();
        let mut given = None;
        if let Some((param, whitespace)) = self.whitespace {
            (options.whitespace, given) = (whitespace, Some(param));
        }
        if let Some((param, order)) = self.order {
            (options.order, given) = (order, Some(param));
        }
        if let Some((param, formats)) = self.formats {
            (options.formats, given) = (formats, Some(param));
        }
        let is_json = match &first {
            Some((_, Source::JsonSchema(_) | Source::JsonObject | Source::Tags(_))) => true,
            Some((_, Source::Grammar(grammar))) => grammar.contains("%json"),
            _ => false,
        };
        if let (Some(param), Some(within)) = (&given, &self.option_within) {
            let rest = format_args!("says how JSON is written, and so does `{within}`; give one of the two");
            return Err(Refusal::value(param, rest));
        }
        if let Some(param) = given.filter(|_| !is_json) {
            let rest = "is about JSON, and no schema is given; leave it out, or give a schema in `response_format`";
            return Err(Refusal::value(&param, rest));
        }
        let Some((param, mut source)) = first else {
            return match self.closes {
                None => Ok(None),
                Some(closes) => Err(Refusal::value(&closes, "is about a schema, and none is given")),
            };
        };
        if let Some(closes) = self.closes {
            let Source::JsonSchema(schema) = &source else {
                return Err(Refusal::value(&closes, "is about a schema, and none is given"));
            };
            source = Source::JsonSchema(closing::closed(schema).map_err(|why| Refusal::value(&closes, why))?);
        }
        Ok(Some(Asked { param, constraint: Constraint { source, options }, tokens: self.tokens }))
    }

    fn ask(&mut self, field: &Field<'_>, source: Source) {
        self.asked.push((field.name.clone(), source));
    }

    fn json(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        self.ask(field, Source::JsonSchema(schema_text(field)?));
        Ok(())
    }

    fn regex(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        self.ask(field, Source::Regex(regex_text(field)?));
        Ok(())
    }

    fn grammar_text(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        self.ask(field, Source::Grammar(grammar_text(field)?));
        Ok(())
    }

    fn choice(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        let entries = field.list("a list of strings")?;
        if entries.is_empty() {
            return Err(field.must_be("a list of at least one string"));
        }
        let choices = entries.iter().map(Field::string).collect::<Result<_, _>>()?;
        self.ask(field, Source::Choice(choices));
        Ok(())
    }

    fn structural_tag(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        let tag = structural_tag::read(field)?;
        self.tokens.extend(tag.tokens);
        self.option_within = self.option_within.take().or(tag.option);
        self.ask(field, Source::Tags(tag.part));
        Ok(())
    }

    /// `false` asks for nothing.
    fn json_object(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        if field.boolean()? {
            self.ask(field, Source::JsonObject);
        }
        Ok(())
    }
}
