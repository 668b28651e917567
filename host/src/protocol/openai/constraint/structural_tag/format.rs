//! Each kind of format to a part of an output.

use jig_guides::{After, Marker, Part, SeparatedTags, Tag, TriggeredTags};

use super::super::members::Members;
use super::{Reader, markers, style, tag};
use crate::protocol::fields::{Field, Refusal, grammar_text, nearest, regex_text, schema_text};

/// The most levels of formats.
const MOST_LEVELS: usize = 48;

/// All kinds, those that are refused included.
const KINDS: [&str; 21] = [
    "any_text",
    "any_tokens",
    "const_string",
    "dispatch",
    "exclude_token",
    "grammar",
    "json_schema",
    "optional",
    "or",
    "plus",
    "qwen_xml_parameter",
    "regex",
    "repeat",
    "sequence",
    "star",
    "tag",
    "tags_with_separator",
    "token",
    "token_dispatch",
    "token_triggered_tags",
    "triggered_tags",
];

impl Reader {
    /// A format at this level of the tree.
    pub(super) fn format(&mut self, field: &Field<'_>, level: usize) -> Result<Part, Refusal> {
        if level == MOST_LEVELS {
            return Err(Refusal::value(&field.name, format_args!("is more than {MOST_LEVELS} levels deep; nest less")));
        }
        let kind = Members::kind_of(field)?;
        let of = |known: &[&'static str]| Members::of(field, &[&["type"], known].concat());
        let below = level + 1;
        match kind.as_str() {
            "const_string" => {
                let value = of(&["value"])?.demand("value")?.string()?;
                Ok(if value.is_empty() { Part::Sequence(Vec::new()) } else { Part::text(value) })
            }
            "json_schema" => {
                self.json_schema(&of(&["json_schema", "style", "any_order", "max_whitespace_cnt", "excludes"])?)
            }
            "qwen_xml_parameter" => {
                let schema = schema_text(of(&["json_schema"])?.demand("json_schema")?)?;
                Ok(Part::Arguments { schema, style: style::QWEN, options: None })
            }
            "regex" => {
                let members = of(&["pattern", "excludes"])?;
                refuse_list(&members, "excludes")?;
                Ok(Part::Regex(regex_text(members.demand("pattern")?)?))
            }
            "grammar" => {
                let members = of(&["grammar", "excludes"])?;
                refuse_list(&members, "excludes")?;
                Ok(Part::Grammar(grammar_text(members.demand("grammar")?)?))
            }
            "any_text" => any_text(&of(&["excludes", "max_tokens", "max_chars"])?),
            "any_tokens" => {
                let members = of(&["exclude_tokens", "max_tokens"])?;
                refuse(&members, "max_tokens", "leave it out, or use \"any_text\" with `max_chars`")?;
                Ok(Part::Free { excludes: self.tokens_of(&members, "exclude_tokens")? })
            }
            "token" => Ok(Part::Constant(self.token(of(&["token"])?.demand("token")?)?)),
            "exclude_token" => {
                Err(Refusal::unsupported(&field.name, "a single token that is not one of some is none; use \"regex\""))
            }
            "sequence" => {
                let elements = of(&["elements"])?.demand("elements")?.list("a list of formats")?;
                let parts = elements.iter().map(|element| self.format(element, below));
                Ok(Part::Sequence(parts.collect::<Result<_, _>>()?))
            }
            "or" => {
                let members = of(&["elements"])?;
                let field = members.demand("elements")?;
                let elements = field.list("a list of formats")?;
                if elements.is_empty() {
                    return Err(field.must_be("a list of at least one format"));
                }
                let parts = elements.iter().map(|element| self.format(element, below));
                Ok(Part::Choice(parts.collect::<Result<_, _>>()?))
            }
            "optional" | "plus" | "star" => {
                let content = Box::new(self.format(of(&["content"])?.demand("content")?, below)?);
                let (min, max) = match kind.as_str() {
                    "optional" => (0, Some(1)),
                    "plus" => (1, None),
                    _ => (0, None),
                };
                Ok(Part::Repeat { content, min, max })
            }
            "repeat" => {
                let members = of(&["min", "max", "content"])?;
                let content = Box::new(self.format(members.demand("content")?, below)?);
                let count = |name: &str, least: i128| {
                    let what = if least < 0 { "a count, or -1 for any number" } else { "a count" };
                    members.demand(name)?.integer(least..=i128::from(u32::MAX), what)
                };
                let (min, max) = (count("min", 0)? as u32, u32::try_from(count("max", -1)?).ok());
                if max.is_some_and(|max| max < min) {
                    return Err(Refusal::value(&members.demand("max")?.name, "is less than `min`"));
                }
                Ok(Part::Repeat { content, min, max })
            }
            "tag" => Ok(Part::tag(self.tag(field, level)?)),
            "triggered_tags" | "token_triggered_tags" => self.triggered(field, kind == "token_triggered_tags", level),
            "tags_with_separator" => {
                let members = of(&["tags", "separator", "at_least_one", "stop_after_first"])?;
                let separator = members.demand("separator")?.string()?;
                let separator = if separator.is_empty() { Part::Sequence(Vec::new()) } else { Part::text(separator) };
                Ok(Part::separated(SeparatedTags {
                    tags: self.tags(members.demand("tags")?, level)?,
                    separator,
                    min: u32::from(flag(&members, "at_least_one")?.unwrap_or(false)),
                    max: flag(&members, "stop_after_first")?.unwrap_or(false).then_some(1),
                }))
            }
            "dispatch" | "token_dispatch" => self.dispatch(field, kind == "token_dispatch", level),
            _ => {
                let near = nearest(&kind, KINDS.into_iter()).map(|near| format!("; did you mean \"{near}\"?"));
                let rest = format_args!("is \"{kind}\", which no format is{}", near.unwrap_or_default());
                Err(Refusal::value(&format!("{}.type", field.name), rest))
            }
        }
    }

    /// A value in JSON, or the members of an object in another style.
    fn json_schema(&mut self, members: &Members<'_>) -> Result<Part, Refusal> {
        refuse_list(members, "excludes")?;
        let schema = schema_text(members.demand("json_schema")?)?;
        let style = members.get("style").map(style::read).transpose()?.flatten();
        let any_order = flag(members, "any_order")?.unwrap_or(false);
        let blanks = members.get("max_whitespace_cnt");
        let most =
            blanks.map(|most| most.integer(0..=i128::from(u32::MAX), "a count, or null for no limit")).transpose()?;
        let options = style::options(any_order, most == Some(0));
        if options.is_some() {
            let name = if any_order { "any_order" } else { "max_whitespace_cnt" };
            self.option = members.get(name).map(|member| member.name.clone());
        }
        Ok(match style {
            Some(style) => Part::Arguments { schema, style, options },
            None => Part::Json { schema, options },
        })
    }

    /// A list of tags, at least one.
    fn tags(&mut self, field: &Field<'_>, level: usize) -> Result<Vec<Tag>, Refusal> {
        let entries = field.list("a list of tags")?;
        if entries.is_empty() {
            return Err(field.must_be("a list of at least one tag"));
        }
        entries.iter().map(|entry| self.tag(entry, level + 1)).collect()
    }

    /// `{"begin", "content", "end"}`, with or without its type.
    fn tag(&mut self, field: &Field<'_>, level: usize) -> Result<Tag, Refusal> {
        let members = Members::of(field, &["type", "begin", "content", "end"])?;
        if let Some(kind) = members.get("type")
            && kind.string()? != "tag"
        {
            return Err(kind.must_be("\"tag\""));
        }
        let begin = self.marker(members.demand("begin")?)?;
        let content = self.format(members.demand("content")?, level + 1)?;
        let end = members.demand("end")?;
        let ends = match end.value.get().starts_with('[') {
            true => end.list("a text, a list of texts, or a token")?.iter().map(|end| self.marker(end)).collect(),
            false => self.marker(end).map(|end| vec![end]),
        };
        let ends: Vec<Marker> = ends?.into_iter().flatten().collect();
        let is_open = end.value.get() == "\"\"" || end.value.get().starts_with('[') && ends.is_empty();
        if end.value.get().starts_with('[') && !is_open && ends.len() != end.list("a list")?.len() {
            return Err(Refusal::value(
                &end.name,
                "has an empty text beside others: the tag would never have to end; take it out",
            ));
        }
        Ok(match begin {
            Some(begin) => tag::closed(begin, content, ends),
            None => Tag { begin: Vec::new(), content: tag::until(content, ends), ends: Vec::new() },
        })
    }

    /// Free text in which triggers begin tags.
    fn triggered(&mut self, field: &Field<'_>, by_token: bool, level: usize) -> Result<Part, Refusal> {
        let (triggers, excludes) =
            if by_token { ("trigger_tokens", "exclude_tokens") } else { ("triggers", "excludes") };
        let members = Members::of(field, &["type", triggers, "tags", "at_least_one", "stop_after_first", excludes])?;
        let tags = self.tags(members.demand("tags")?, level)?;
        let given = members.demand(triggers)?;
        let (triggers, excludes) = match by_token {
            true => (self.tokens_of(&members, triggers)?, self.tokens_of(&members, excludes)?),
            false => (markers(given)?, members.get(excludes).map(markers).transpose()?.unwrap_or_default()),
        };
        if triggers.is_empty() {
            return Err(given.must_be("a list of at least one trigger"));
        }
        let min = u32::from(flag(&members, "at_least_one")?.unwrap_or(false));
        let is_once = flag(&members, "stop_after_first")?.unwrap_or(false);
        Ok(triggered(triggers, tags, excludes, min, is_once))
    }

    /// Free text in which each pattern is followed by a format of its own.
    fn dispatch(&mut self, field: &Field<'_>, by_token: bool, level: usize) -> Result<Part, Refusal> {
        let excludes = if by_token { "exclude_tokens" } else { "excludes" };
        let members = Members::of(field, &["type", "rules", "loop", excludes])?;
        let rules = members.demand("rules")?;
        let (mut triggers, mut tags) = (Vec::new(), Vec::new());
        for rule in rules.list("a list of pairs of a pattern and a format")? {
            let pair = rule.list("a pair of a pattern and a format")?;
            let [pattern, format] = &pair[..] else { return Err(rule.must_be("a pair of a pattern and a format")) };
            let trigger = match by_token {
                true => self.token(pattern)?,
                false => self.marker(pattern)?.ok_or_else(|| pattern.must_be("a text that is not empty"))?,
            };
            let content = self.format(format, level + 1)?;
            triggers.push(trigger.clone());
            tags.push(Tag { begin: vec![trigger], content, ends: Vec::new() });
        }
        if tags.is_empty() {
            return Err(rules.must_be("a list of at least one pair"));
        }
        let excludes = match by_token {
            true => self.tokens_of(&members, excludes)?,
            false => members.get(excludes).map(markers).transpose()?.unwrap_or_default(),
        };
        let is_once = !flag(&members, "loop")?.unwrap_or(true);
        Ok(triggered(triggers, tags, excludes, 0, is_once))
    }

    /// A text, or a token in the form of a format; `None` for the empty text.
    fn marker(&mut self, field: &Field<'_>) -> Result<Option<Marker>, Refusal> {
        if field.value.get().starts_with('{') {
            let members = Members::of(field, &["type", "token"])?;
            return self.token(members.demand("token")?).map(Some);
        }
        let text = field.string()?;
        Ok((!text.is_empty()).then_some(Marker::Text(text)))
    }

    /// A token by its id or its name.
    fn token(&mut self, field: &Field<'_>) -> Result<Marker, Refusal> {
        const WHAT: &str = "a token's id, or its name";
        if !field.value.get().starts_with('"') {
            return Ok(Marker::Token(field.integer(0..=i128::from(u32::MAX), WHAT)? as u32));
        }
        let name = field.string()?;
        if name.is_empty() {
            return Err(field.must_be(WHAT));
        }
        self.tokens.push((field.name.clone(), name.clone()));
        Ok(Marker::Text(name))
    }

    fn tokens_of(&mut self, members: &Members<'_>, name: &str) -> Result<Vec<Marker>, Refusal> {
        let Some(field) = members.get(name) else { return Ok(Vec::new()) };
        field.list("a list of tokens")?.iter().map(|token| self.token(token)).collect()
    }
}

fn triggered(triggers: Vec<Marker>, tags: Vec<Tag>, excludes: Vec<Marker>, min: u32, is_once: bool) -> Part {
    let after = if is_once { After::Separator(Part::Sequence(Vec::new())) } else { After::Free };
    Part::triggered(TriggeredTags { triggers, tags, excludes, min, max: is_once.then_some(1), after })
}

/// Text in which some texts do not occur, or of some length at most.
fn any_text(members: &Members<'_>) -> Result<Part, Refusal> {
    refuse(members, "max_tokens", "leave it out, or use `max_chars`")?;
    let excludes = members.get("excludes").map(markers).transpose()?.unwrap_or_default();
    let Some(most) = members.get("max_chars") else { return Ok(Part::Free { excludes }) };
    if !excludes.is_empty() {
        return Err(Refusal::unsupported(&most.name, "beside `excludes` it is not; give one of the two"));
    }
    let count = most.integer(0..=i128::from(u32::MAX), "a count, or null for no limit")?;
    Ok(Part::Regex(format!("[\\s\\S]{{0,{count}}}")))
}

fn flag(members: &Members<'_>, name: &str) -> Result<Option<bool>, Refusal> {
    members.get(name).map(Field::boolean).transpose()
}

/// Refuses a member that is there.
fn refuse(members: &Members<'_>, name: &str, remedy: &str) -> Result<(), Refusal> {
    members.get(name).map_or(Ok(()), |member| Err(Refusal::unsupported(&member.name, remedy)))
}

/// Refuses a list that is not empty.
fn refuse_list(members: &Members<'_>, name: &str) -> Result<(), Refusal> {
    match members.get(name) {
        Some(member) if !member.list("a list of texts")?.is_empty() => {
            Err(Refusal::unsupported(&member.name, "leave it out, or exclude the texts by a `pattern`"))
        }
        _ => Ok(()),
    }
}
