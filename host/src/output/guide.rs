//! From the tools of a request to what its outputs must match.
//!
//! ```text
//!  output:  thoughts, end of thoughts, blanks    then   answer
//!  answer:  none       the text or the JSON that is wanted, without a call
//!           auto       text, then calls; or where JSON is wanted: calls, or that JSON
//!           required   calls
//! ```

use jig_guides::{After, Delimiters, Marker, Options, Part, SeparatedTags, Style, Tag, TriggeredTags, Values};

use super::channels;
use super::family::{Call, Family, Place, Section};
use super::special::SpecialTokens;
use super::thinking::{Start, Thinking};

/// A function that a model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The schema of its arguments, as JSON text.
    pub parameters: String,
}

/// Whether a model calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calling {
    /// It does not.
    Never,
    /// It may.
    MayCall,
    /// It calls at least once.
    Must,
}

/// What is wanted of an output.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// How the model writes calls.
    pub family: &'static Family,
    /// The functions that it may call.
    pub tools: &'a [Tool],
    /// Whether it calls.
    pub calling: Calling,
    /// Whether it may call more than once.
    pub is_parallel: bool,
    /// What the text must be where it is no call; `None` leaves it free.
    pub response: Option<Part>,
    /// How arguments are written.
    pub options: Options,
}

/// What an output must match; `None` where it is free.
#[must_use]
pub fn guide(
    special: &SpecialTokens,
    thinking: Option<(&'static Thinking, Start)>,
    wanted: Option<&Wanted<'_>>,
    response: Option<Part>,
) -> Option<Part> {
    let is_channel = thinking.is_some_and(|(thinking, _)| thinking.is_channel());
    if is_channel || wanted.is_some_and(|wanted| wanted.family.call == Call::Channel) {
        let start = thinking.filter(|_| is_channel).map_or(Start::Open, |(_, start)| start);
        return channels::guide(special, start, wanted, response);
    }
    let thinking = thinking.filter(|(_, start)| *start != Start::Answer);
    let builder = Builder { special, begin: thinking.and_then(|(thinking, _)| special.first(thinking.begin)) };
    let answer = match wanted {
        Some(wanted) => builder.answer(wanted),
        None => response?,
    };
    let Some((thinking, start)) = thinking else { return Some(answer) };
    let mut excludes = Vec::new();
    if let Some(wanted) = wanted
        && wanted.family.section.place == Place::Anywhere
    {
        excludes.extend(special.first(wanted.family.trigger()));
    }
    let mut thoughts = vec![builder.until(thinking.end, excludes)];
    thoughts.push(Part::Regex("\n{0,2}".to_owned()));
    thoughts.push(answer.clone());
    if start == Start::Inside {
        return Some(Part::Sequence(thoughts));
    }
    let mut opened = vec![Part::Regex("\n{0,2}".to_owned())];
    opened.extend(special.constant(thinking.begin));
    opened.append(&mut thoughts);
    Some(Part::Choice(vec![Part::Sequence(opened), answer]))
}

struct Builder<'a> {
    special: &'a SpecialTokens,
    /// What begins thoughts, where they may begin: the answer can't, or it could be read as thoughts.
    begin: Option<Marker>,
}

impl Builder<'_> {
    /// Text up to an end. The end may be several markers, of which no part but the first can be told from text.
    fn until(&self, end: &str, excludes: Vec<Marker>) -> Part {
        let mut markers = self.special.markers(end).into_iter();
        let until = Part::Until { ends: markers.next().into_iter().collect(), excludes };
        let rest: Vec<Part> = markers.map(Part::Constant).collect();
        if rest.is_empty() { until } else { Part::Sequence([vec![until], rest].concat()) }
    }

    fn answer(&self, wanted: &Wanted<'_>) -> Part {
        let trigger = || self.special.first(wanted.family.trigger());
        let max = if wanted.is_parallel { None } else { Some(1) };
        match (wanted.calling, &wanted.response) {
            (Calling::Never, Some(response)) => response.clone(),
            (Calling::Never, None) => self.prose(wanted),
            (Calling::Must, _) => self.calls(wanted, max),
            (Calling::MayCall, Some(response)) => Part::Choice(vec![self.calls(wanted, max), response.clone()]),
            (Calling::MayCall, None) => match (wanted.family.section.place, trigger()) {
                (Place::Anywhere, Some(trigger)) => self.triggered(wanted, trigger, max),
                _ => Part::Choice(vec![self.calls(wanted, max), self.prose(wanted)]),
            },
        }
    }

    /// Text that is no call.
    fn prose(&self, wanted: &Wanted<'_>) -> Part {
        match wanted.family.section.place {
            Place::Anywhere => {
                let trigger = self.special.first(wanted.family.trigger());
                Part::Free { excludes: trigger.into_iter().chain(self.begin.clone()).collect() }
            }
            Place::Start => {
                let begins = match wanted.family.call {
                    Call::Python => r"\[\s*\w+\s*\(".to_owned(),
                    _ => r"\{".to_owned(),
                };
                Part::Regex(format!(r"(?!\s*{begins})[\s\S]*"))
            }
        }
    }

    /// Text, and then perhaps calls.
    fn triggered(&self, wanted: &Wanted<'_>, trigger: Marker, max: Option<u32>) -> Part {
        let section = &wanted.family.section;
        let (tags, max) = if section.begin.is_empty() {
            (self.tags(wanted), max)
        } else {
            (vec![self.section(wanted, max)], Some(1))
        };
        let separator = Part::Sequence(self.special.constant(section.between));
        Part::triggered(TriggeredTags {
            triggers: vec![trigger],
            tags,
            excludes: self.begin.iter().cloned().collect(),
            min: 0,
            max,
            after: After::Separator(separator),
        })
    }

    /// Calls and nothing else.
    fn calls(&self, wanted: &Wanted<'_>, max: Option<u32>) -> Part {
        if wanted.family.section.begin.is_empty() {
            self.separated(wanted, max)
        } else {
            Part::tag(self.section(wanted, max))
        }
    }

    /// All calls, with the texts around them.
    fn section(&self, wanted: &Wanted<'_>, max: Option<u32>) -> Tag {
        let Section { begin, end, .. } = wanted.family.section;
        let mut content = vec![self.separated(wanted, max)];
        content.extend(self.special.constant(end));
        Tag { begin: self.special.markers(begin), content: Part::Sequence(content), ends: Vec::new() }
    }

    fn separated(&self, wanted: &Wanted<'_>, max: Option<u32>) -> Part {
        let separator = Part::Sequence(self.special.constant(wanted.family.section.between));
        Part::separated(SeparatedTags { tags: self.tags(wanted), separator, min: 1, max })
    }

    /// One call of each function.
    fn tags(&self, wanted: &Wanted<'_>) -> Vec<Tag> {
        wanted.tools.iter().map(|tool| self.tag(wanted, tool)).collect()
    }

    fn tag(&self, wanted: &Wanted<'_>, tool: &Tool) -> Tag {
        let options = Some(wanted.options.clone());
        let json = || Part::Json { schema: tool.parameters.clone(), options: options.clone() };
        let delimited = |delimiters| {
            let (schema, style) = (tool.parameters.clone(), Style::Delimited(delimiters));
            Part::Arguments { schema, style, options: options.clone() }
        };
        let name = &tool.name;
        let (begin, mut content, end) = match wanted.family.call {
            Call::Object { begin, name: name_key, arguments, end } => {
                let name = serde_json::Value::from(name.as_str());
                let begin = format!("{begin}{{\"{name_key}\": {name}, \"{arguments}\": ");
                (begin, vec![json()], format!("}}{end}"))
            }
            Call::Named { begin, is_numbered: true, after_name, end } => {
                let number = Part::Regex("[0-9]{1,4}".to_owned());
                let content = [vec![number], self.special.constant(after_name), vec![json()]].concat();
                (format!("{begin}{name}:"), content, end.to_owned())
            }
            Call::Named { begin, is_numbered: false, after_name, end } => {
                (format!("{begin}{name}{after_name}"), vec![json()], end.to_owned())
            }
            Call::Tagged(tags) => {
                let before = |is_string: &str| match tags.says_string {
                    true => format!("{} string=\"{is_string}\">", tags.after_key).into(),
                    false => tags.after_key.into(),
                };
                let delimiters = Delimiters {
                    member: tags.open.into(),
                    before_string: before("true"),
                    after_string: tags.close.into(),
                    before_other: before("false"),
                    after_other: tags.close.into(),
                    separator: "".into(),
                    values: Values::Raw,
                };
                (format!("{}{name}{}", tags.begin, tags.after_name), vec![delimited(delimiters)], tags.end.to_owned())
            }
            Call::Python => (format!("{name}("), vec![delimited(Delimiters::PYTHON)], ")".to_owned()),
            Call::Bare { begin, end, .. } => (format!("{begin}{name}"), vec![json()], end.to_owned()),
            Call::Channel => (channels::header(name), vec![json()], String::new()),
        };
        content.extend(self.special.constant(&end));
        Tag { begin: self.special.markers(&begin), content: Part::Sequence(content), ends: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
