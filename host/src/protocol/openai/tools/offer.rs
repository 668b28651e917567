//! The tools that a request offers: for the template, for the guide.

use std::collections::HashMap;
use std::sync::Arc;

use jig_guides::{Options, Order, Part, Place, Source, Whitespace};
use serde_json::Value;

use crate::output::arguments::Kinds;
use crate::output::parameters::{only_named, relax};
use crate::output::{Call, Calling, Family, SpecialTokens, Start, Thinking, Tool, Wanted, guide};
use crate::protocol::fields::Refusal;
use crate::request::Constraint;

/// The tools of a request, and which of them may be called.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::protocol::openai) struct Offer {
    pub(super) tools: Vec<Offered>,
    pub(super) calling: Calling,
    /// The places of the tools that may be called, rising.
    pub(super) callable: Vec<usize>,
    pub(super) is_named: bool,
    pub(super) is_parallel: bool,
    /// Keywords that no guide enforces and that were left out, as paths in the body.
    pub(super) relaxed: Vec<String>,
}

/// One tool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Offered {
    pub(super) name: String,
    /// As the template gets it.
    pub(super) rendered: Value,
    /// The schema of its arguments, as it is enforced.
    pub(super) parameters: Value,
    /// Whether nothing of the schema may be left out.
    pub(super) is_strict: bool,
    /// Where it is in the body.
    pub(super) place: String,
}

impl Offer {
    /// The tools as the template gets them.
    pub(in crate::protocol::openai) fn rendered(&self) -> Vec<Value> {
        self.tools.iter().map(|tool| tool.rendered.clone()).collect()
    }

    /// Whether no call is wanted.
    pub(in crate::protocol::openai) fn forbids_calls(&self) -> bool {
        self.calling == Calling::Never
    }

    /// Whether the request names the one tool that is to be called.
    pub(in crate::protocol::openai) fn is_named(&self) -> bool {
        self.is_named
    }

    /// Whether a call is wanted.
    pub(in crate::protocol::openai) fn requires_calls(&self) -> bool {
        self.calling == Calling::Must
    }

    /// The places of the tools that may be called.
    pub(in crate::protocol::openai) fn callable(&self) -> Vec<usize> {
        self.callable.clone()
    }

    /// The places of those of whose schemas something may be left out.
    pub(in crate::protocol::openai) fn relaxable(&self) -> Vec<usize> {
        self.callable.iter().copied().filter(|&place| !self.tools[place].is_strict).collect()
    }

    /// The schema of a tool's arguments as a path in the body.
    pub(in crate::protocol::openai) fn param(&self, place: usize) -> String {
        format!("{}.parameters", self.tools[place].place)
    }

    /// A tool's schema, and nothing else.
    pub(in crate::protocol::openai) fn schema_alone(&self, place: usize) -> Constraint {
        let source = Source::JsonSchema(self.tools[place].parameters.to_string());
        Constraint { source, options: Options::default() }
    }

    /// The number of keywords that were left out.
    pub(in crate::protocol::openai) fn count_relaxed(&self) -> usize {
        self.relaxed.len()
    }

    /// Leaves a keyword out of a tool's schema. Returns whether it was there.
    pub(in crate::protocol::openai) fn leave_out(&mut self, tool: usize, at: &Place, keyword: &str) -> bool {
        let param = self.param(tool);
        // What is wrong with a pattern stands behind the keyword.
        let keyword = keyword.split(':').next().unwrap_or(keyword);
        let left_out = relax(&mut self.tools[tool].parameters, &pointer(at), keyword);
        self.relaxed.extend(left_out.iter().map(|place| format!("{param}{place}")));
        left_out.is_some()
    }

    /// The keywords that were left out, for a header.
    pub(in crate::protocol::openai) fn relaxed(&self) -> Option<String> {
        (!self.relaxed.is_empty()).then(|| self.relaxed.join(", "))
    }

    /// What tells strings from other arguments.
    pub(in crate::protocol::openai) fn kinds(&self) -> Arc<HashMap<String, Kinds>> {
        let kinds = self.tools.iter().map(|tool| (tool.name.clone(), Kinds::of_schema(&tool.parameters)));
        Arc::new(kinds.collect())
    }

    /// Names that a family can't write.
    pub(in crate::protocol::openai) fn check_names(&self, family: &Family) -> Result<(), Refusal> {
        if family.call == Call::Channel
            && let Some(tool) = self.tools.iter().find(|tool| tool.name.contains(char::is_whitespace))
        {
            let rest = format_args!("is `{}`; this model calls functions by names without white space", tool.name);
            return Err(Refusal::value(&format!("{}.name", tool.place), rest));
        }
        if family.call != Call::Python {
            return Ok(());
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        match self.tools.iter().find(|tool| !tool.name.chars().all(is_part)) {
            Some(tool) => Err(Refusal::value(
                &format!("{}.name", tool.place),
                format_args!(
                    "is `{}`; this model calls functions by names of Python: letters, digits and `_`",
                    tool.name
                ),
            )),
            None => Ok(()),
        }
    }

    /// What outputs must match, `response` being what the text must be where it is no call.
    pub(in crate::protocol::openai) fn constraint(
        &self,
        family: &'static Family,
        special: &SpecialTokens,
        thinking: Option<(&'static Thinking, Start)>,
        response: Option<&Constraint>,
    ) -> Option<Constraint> {
        let takes_known_names_only = matches!(family.call, Call::Tagged(_) | Call::Python);
        let tool = |&place: &usize| {
            let offered = &self.tools[place];
            let parameters = match takes_known_names_only {
                true => only_named(offered.parameters.clone()).to_string(),
                false => offered.parameters.to_string(),
            };
            Tool { name: offered.name.clone(), parameters }
        };
        let tools: Vec<Tool> = self.callable.iter().map(tool).collect();
        let mut options = response.map(|constraint| constraint.options.clone()).unwrap_or_default();
        // Templates show calls as Python's `json.dumps` writes them.
        options.whitespace = Whitespace::Spaces;
        if self.calling == Calling::MayCall {
            // Models write what they were told is required first.
            options.order = Order::Any;
        }
        let wanted = Wanted {
            family,
            tools: &tools,
            calling: self.calling,
            is_parallel: self.is_parallel,
            response: response.map(|constraint| part_of(&constraint.source)),
            options,
        };
        let part = guide(special, thinking, Some(&wanted), None)?;
        let options = response.map(|constraint| constraint.options.clone()).unwrap_or_default();
        Some(Constraint { source: Source::Tags(part), options })
    }
}

/// The place of an error as a JSON pointer into the schema.
fn pointer(place: &Place) -> String {
    match place {
        Place::Pointer(pointer) | Place::Pattern(pointer, _) => pointer.clone(),
        Place::Part(_, Some(inner)) => pointer(inner),
        _ => String::new(),
    }
}

/// A source as a part of an output.
fn part_of(source: &Source) -> Part {
    match source {
        Source::Regex(regex) => Part::Regex(regex.clone()),
        Source::Grammar(grammar) => Part::Grammar(grammar.clone()),
        Source::JsonSchema(schema) => Part::json(schema.clone()),
        Source::JsonObject => Part::json(r#"{"type":"object"}"#),
        Source::Choice(choices) => {
            let choice =
                |text: &String| if text.is_empty() { Part::Sequence(Vec::new()) } else { Part::text(text.clone()) };
            Part::Choice(choices.iter().map(choice).collect())
        }
        Source::Tags(part) => part.clone(),
    }
}

/// What outputs must match that may begin with thoughts, where nothing but their answer is constrained.
pub(in crate::protocol::openai) fn after_thoughts(
    special: &SpecialTokens,
    thinking: (&'static Thinking, Start),
    response: &Constraint,
) -> Constraint {
    let part = guide(special, Some(thinking), None, Some(part_of(&response.source)));
    match part {
        Some(part) if thinking.1 != Start::Answer => {
            Constraint { source: Source::Tags(part), options: response.options.clone() }
        }
        _ => response.clone(),
    }
}
