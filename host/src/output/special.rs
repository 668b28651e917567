//! Special tokens: those that no text spells, and texts that stand for them.

use jig_guides::{Marker, Part, SeparatedTags, Style, Tag, TriggeredTags};

use super::family::{Call, Family};
use super::thinking::Thinking;

/// The special tokens of a vocabulary: tokens that no text spells.
#[derive(Clone, Debug, Default)]
pub struct SpecialTokens {
    /// Names and ids, the longest names first.
    tokens: Vec<(String, u32)>,
}

impl SpecialTokens {
    /// Of these names and ids.
    #[must_use]
    pub fn new(mut tokens: Vec<(String, u32)>) -> Self {
        tokens.retain(|(name, _)| !name.is_empty());
        tokens.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { tokens }
    }

    /// A text as texts and the special tokens in it.
    #[must_use]
    pub fn markers(&self, text: &str) -> Vec<Marker> {
        let mut markers = Vec::new();
        let mut rest = text;
        while let Some((at, name, id)) = self.first_in(rest) {
            if at > 0 {
                markers.push(Marker::text(&rest[..at]));
            }
            markers.push(Marker::Token(id));
            rest = &rest[at + name.len()..];
        }
        if !rest.is_empty() {
            markers.push(Marker::text(rest));
        }
        markers
    }

    fn first_in(&self, text: &str) -> Option<(usize, &str, u32)> {
        let found =
            self.tokens.iter().filter_map(|(name, id)| text.find(name.as_str()).map(|at| (at, name.as_str(), *id)));
        // The longest of those that begin at one place: `min_by_key` keeps the first.
        found.min_by_key(|(at, ..)| *at)
    }

    /// The tokens that stand in the texts of a family's calls and around thoughts. They are a part of what an output says.
    #[must_use]
    pub fn spoken(&self, family: Option<&Family>, thinking: Option<&Thinking>) -> Vec<u32> {
        let texts = family.into_iter().flat_map(Family::texts);
        let texts = texts.chain(thinking.into_iter().flat_map(|thinking| [thinking.begin, thinking.end]));
        let tokens = texts.flat_map(|text| self.markers(text)).filter_map(|marker| match marker {
            Marker::Token(id) => Some(id),
            Marker::Text(_) => None,
        });
        let mut tokens: Vec<u32> = tokens.collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    /// Whether a guide can hold a model with these tokens to a family's calls: texts around arguments in tags have none of them.
    #[must_use]
    pub fn can_write(&self, family: &Family) -> bool {
        let Call::Tagged(tags) = family.call else { return family.is_guidable() };
        [tags.open, tags.after_key, tags.close].iter().all(|text| self.first_in(text).is_none())
    }

    pub(super) fn constant(&self, text: &str) -> Vec<Part> {
        self.markers(text).into_iter().map(Part::Constant).collect()
    }

    /// The first marker of a text.
    pub(super) fn first(&self, text: &str) -> Option<Marker> {
        self.markers(text).into_iter().next()
    }

    /// A part whose texts may spell special tokens, with these tokens in their place: a model writes `[TOOL_CALLS]` by its token and not
    /// by its letters.
    ///
    /// # Errors
    /// A special token between the members of an object.
    pub fn resolved(&self, part: Part) -> Result<Part, String> {
        let all = |parts: Vec<Part>| parts.into_iter().map(|part| self.resolved(part)).collect::<Result<Vec<_>, _>>();
        Ok(match part {
            Part::Constant(marker) => sequence(self.written(marker).into_iter().map(Part::Constant).collect()),
            Part::Free { excludes } => Part::Free { excludes: self.excluded(excludes) },
            Part::Until { ends, excludes } => self.until(ends, self.excluded(excludes)),
            Part::Arguments { style: Style::Delimited(delimiters), schema, options } => {
                let texts = [
                    &delimiters.member,
                    &delimiters.before_string,
                    &delimiters.after_string,
                    &delimiters.before_other,
                    &delimiters.after_other,
                ];
                if let Some((_, name, _)) = texts.iter().find_map(|text| self.first_in(text)) {
                    return Err(format!(
                        "has members between texts with the special token `{name}`, which no guide enforces"
                    ));
                }
                Part::Arguments { style: Style::Delimited(delimiters), schema, options }
            }
            Part::Sequence(parts) => Part::Sequence(all(parts)?),
            Part::Choice(parts) => Part::Choice(all(parts)?),
            Part::Repeat { content, min, max } => {
                Part::Repeat { content: Box::new(self.resolved(*content)?), min, max }
            }
            Part::Tag(tag) => Part::tag(self.resolved_tag(*tag)?),
            Part::Triggered(tags) => {
                let TriggeredTags { triggers, tags, excludes, min, max, after } = *tags;
                // No special token is in free text, so that the first marker tells a trigger from it.
                let mut triggers: Vec<Marker> =
                    triggers.into_iter().filter_map(|trigger| self.written(trigger).into_iter().next()).collect();
                triggers.dedup();
                let tags = tags.into_iter().map(|tag| self.resolved_tag(tag)).collect::<Result<_, _>>()?;
                Part::triggered(TriggeredTags { triggers, tags, excludes: self.excluded(excludes), min, max, after })
            }
            Part::Separated(tags) => {
                let SeparatedTags { tags, separator, min, max } = *tags;
                let tags = tags.into_iter().map(|tag| self.resolved_tag(tag)).collect::<Result<_, _>>()?;
                Part::separated(SeparatedTags { tags, separator: self.resolved(separator)?, min, max })
            }
            part => part,
        })
    }

    /// The tokens that a part names, rising.
    #[must_use]
    pub fn of(part: &Part) -> Vec<u32> {
        let mut tokens = Vec::new();
        add_tokens(part, &mut tokens);
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    fn resolved_tag(&self, tag: Tag) -> Result<Tag, String> {
        let begin = tag.begin.into_iter().flat_map(|marker| self.written(marker)).collect();
        Ok(Tag { begin, content: self.resolved(tag.content)?, ends: tag.ends })
    }

    /// A marker as texts and tokens.
    fn written(&self, marker: Marker) -> Vec<Marker> {
        match marker {
            Marker::Text(text) => self.markers(&text),
            token => vec![token],
        }
    }

    /// What free text may not have in it: a text around a special token is not in it anyway.
    fn excluded(&self, excludes: Vec<Marker>) -> Vec<Marker> {
        let written = excludes.into_iter().map(|marker| self.written(marker));
        written.filter(|markers| markers.len() == 1).flatten().collect()
    }

    /// Text up to one of these ends. Of an end of several markers the first one can be told from text.
    fn until(&self, ends: Vec<Marker>, excludes: Vec<Marker>) -> Part {
        let ends: Vec<Vec<Marker>> = ends.into_iter().map(|end| self.written(end)).collect();
        let until = |ends: Vec<Marker>, excludes: Vec<Marker>| Part::Until { ends, excludes };
        if ends.iter().all(|end| end.len() == 1) {
            return until(ends.into_iter().flatten().collect(), excludes);
        }
        let mut firsts: Vec<Marker> = ends.iter().filter_map(|end| end.first().cloned()).collect();
        firsts.dedup();
        let way = |first: &Marker| {
            let others = firsts.iter().filter(|other| *other != first).cloned();
            let rests = ends.iter().filter(|end| end.first() == Some(first));
            let rests = rests.map(|end| sequence(end[1..].iter().cloned().map(Part::Constant).collect())).collect();
            let text = until(vec![first.clone()], excludes.iter().cloned().chain(others).collect());
            Part::Sequence(vec![text, Part::Choice(rests)])
        };
        let mut ways: Vec<Part> = firsts.iter().map(way).collect();
        if ways.len() == 1 { ways.remove(0) } else { Part::Choice(ways) }
    }
}

fn add_tokens(part: &Part, tokens: &mut Vec<u32>) {
    fn ids(markers: &[Marker]) -> impl Iterator<Item = u32> {
        markers.iter().filter_map(|marker| if let Marker::Token(id) = marker { Some(*id) } else { None })
    }
    let add_tag = |tag: &Tag, tokens: &mut Vec<u32>| {
        tokens.extend(ids(&tag.begin).chain(ids(&tag.ends)));
        add_tokens(&tag.content, tokens);
    };
    match part {
        Part::Constant(marker) => tokens.extend(ids(std::slice::from_ref(marker))),
        Part::Until { ends, .. } => tokens.extend(ids(ends)),
        Part::Sequence(parts) | Part::Choice(parts) => parts.iter().for_each(|part| add_tokens(part, tokens)),
        Part::Repeat { content, .. } => add_tokens(content, tokens),
        Part::Tag(tag) => add_tag(tag, tokens),
        Part::Triggered(tags) => tags.tags.iter().for_each(|tag| add_tag(tag, tokens)),
        Part::Separated(tags) => {
            add_tokens(&tags.separator, tokens);
            tags.tags.iter().for_each(|tag| add_tag(tag, tokens));
        }
        _ => {}
    }
}

/// Parts one after the other; a single one is itself.
fn sequence(mut parts: Vec<Part>) -> Part {
    if parts.len() == 1 { parts.remove(0) } else { Part::Sequence(parts) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jig_guides::After;

    fn special() -> SpecialTokens {
        SpecialTokens::new(vec![("<|a|>".to_owned(), 7), ("<|b|>".to_owned(), 8)])
    }

    fn resolved(part: Part) -> Part {
        special().resolved(part).unwrap()
    }

    #[test]
    fn texts_become_the_tokens_that_they_spell() {
        let (a, b, x) = (Marker::Token(7), Marker::Token(8), Marker::text("x"));
        let constant = |marker: &Marker| Part::Constant(marker.clone());
        assert_eq!(resolved(Part::text("x")), Part::text("x"));
        assert_eq!(resolved(Part::text("<|a|>")), Part::token(7));
        assert_eq!(resolved(Part::text("x<|a|>")), Part::Sequence(vec![constant(&x), constant(&a)]));
        let excludes = |texts: [&str; 3]| texts.map(Marker::text).to_vec();
        let free = Part::Free { excludes: excludes(["x", "<|a|>", "x<|a|>"]) };
        assert_eq!(resolved(free), Part::Free { excludes: vec![x.clone(), a.clone()] });
        let tag = Tag { begin: vec![Marker::text("<|a|>x")], content: Part::text("<|b|>"), ends: Vec::new() };
        let tags = TriggeredTags {
            triggers: vec![Marker::text("<|a|>x")],
            tags: vec![tag],
            excludes: Vec::new(),
            min: 0,
            max: None,
            after: After::Free,
        };
        let Part::Triggered(tags) = resolved(Part::triggered(tags)) else { panic!() };
        assert_eq!((&tags.triggers, &tags.tags[0].begin), (&vec![a.clone()], &vec![a, x]));
        assert_eq!(tags.tags[0].content, constant(&b));
        assert_eq!(SpecialTokens::of(&Part::Triggered(tags)), [7, 8]);
    }

    #[test]
    fn an_end_of_several_tokens_begins_with_what_tells_it_from_text() {
        let until = |ends: &[&str]| Part::Until {
            ends: ends.iter().map(|end| Marker::text(*end)).collect(),
            excludes: Vec::new(),
        };
        let one = |first: Marker, excludes: Vec<Marker>, rest: Part| {
            Part::Sequence(vec![Part::Until { ends: vec![first], excludes }, Part::Choice(vec![rest])])
        };
        assert_eq!(
            resolved(until(&["x", "<|a|>"])),
            Part::Until { ends: vec![Marker::text("x"), Marker::Token(7)], excludes: Vec::new() }
        );
        assert_eq!(resolved(until(&["x<|a|>"])), one(Marker::text("x"), Vec::new(), Part::token(7)));
        let expected = vec![
            one(Marker::text("x"), vec![Marker::Token(8)], Part::token(7)),
            one(Marker::Token(8), vec![Marker::text("x")], Part::text("y")),
        ];
        assert_eq!(resolved(until(&["x<|a|>", "<|b|>y"])), Part::Choice(expected));
    }

    #[test]
    fn special_tokens_between_members_are_refused_by_name() {
        let mut delimiters = jig_guides::Delimiters::QWEN_XML;
        delimiters.member = "<|b|>".into();
        let arguments = Part::Arguments { schema: "{}".to_owned(), style: Style::Delimited(delimiters), options: None };
        assert!(special().resolved(Part::Sequence(vec![arguments])).unwrap_err().contains("`<|b|>`"));
    }
}
