//! Free text in which a trigger begins a tag.
//!
//! The free text ends with the first trigger. Behind it, the beginnings of the tags that begin with the trigger are read together, less
//! the trigger.

use crate::automaton::cost::Cost;
use crate::source::part::{After, Marker, TriggeredTags};
use crate::tags::build::{Built, NetBuilder};
use crate::tags::net::{ScopeKind, Segment, SegmentId, times};

impl NetBuilder<'_> {
    /// The first segment of triggered tags that `next` follows.
    pub(super) fn triggered(&mut self, tags: &TriggeredTags, next: SegmentId) -> Built {
        let TriggeredTags { min, max, .. } = *tags;
        if tags.triggers.is_empty() {
            return Err(self.syntax("there must be at least one trigger"));
        }
        if max.is_some_and(|max| max < min) {
            return Err(self.syntax("the most is less than the fewest"));
        }
        // Behind the last tag, triggers are excluded.
        let rest = match (&tags.after, max) {
            (After::Free, _) | (_, Some(0)) => {
                let excludes: Vec<Marker> = tags.triggers.iter().chain(&tags.excludes).cloned().collect();
                self.free(&[], &excludes, Some(next), |_, _| Ok(Vec::new()))?
            }
            (After::Separator(_), _) => next,
        };
        if max == Some(0) {
            return Ok(rest);
        }
        let scope = self.open_scope(rest)?;
        let again = self.add(Segment::Again(scope), Cost::ZERO)?;
        let leave = self.add(Segment::Leave(scope, next), Cost::ZERO)?;
        let ways = self.ways_of(tags, again)?;
        // Free text in which a tag must begin, and free text in which one may.
        let must = self.until_trigger(tags, &ways, None)?;
        let may = self.until_trigger(tags, &ways, Some(leave))?;
        let (below, between) = match &tags.after {
            After::Free => (must, may),
            After::Separator(separator) => {
                let begins = self.ways(ways)?;
                let further = self.within("separator", |own| own.part(separator, begins))?;
                (further, self.branch(vec![further, leave])?)
            }
        };
        let (begin, each) = (self.net.cost(must), self.net.cost(below));
        let first = if min == 0 { may } else { must };
        self.net.scopes[scope.index()].kind = ScopeKind::Count { min, max, first, below, between, each };
        self.close_scope(scope);
        let cost = if min == 0 { Cost::ZERO } else { begin + times(each, u64::from(min) - 1) };
        self.add(Segment::Enter(scope), cost + self.net.cost(rest))
    }

    /// The beginnings of the tags with the segments of their contents.
    fn ways_of(&mut self, tags: &TriggeredTags, next: SegmentId) -> Built<Vec<(Vec<u8>, SegmentId)>> {
        let triggers: Vec<Vec<u8>> = tags.triggers.iter().map(|marker| self.bytes(marker)).collect::<Built<_>>()?;
        let mut ways = Vec::new();
        for (index, tag) in tags.tags.iter().enumerate() {
            let way = self.within("tags", |own| {
                own.within(index, |own| {
                    let way = own.tag(tag, next)?;
                    match triggers.iter().any(|trigger| way.0.starts_with(trigger)) {
                        true => Ok(way),
                        false => Err(own.syntax("the tag's beginning begins with none of the triggers")),
                    }
                })
            })?;
            ways.push(way);
        }
        for (index, trigger) in triggers.iter().enumerate() {
            if !ways.iter().any(|(begin, _)| begin.starts_with(trigger)) {
                return self.within("triggers", |own| {
                    own.within(
                        index,
                        |own| Err(own.syntax("no tag begins with this trigger; exclude its text instead")),
                    )
                });
            }
        }
        Ok(ways)
    }

    /// Free text up to a trigger and the tags behind it; if there is an `exit`, also text without a trigger.
    fn until_trigger(&mut self, tags: &TriggeredTags, ways: &[(Vec<u8>, SegmentId)], exit: Option<SegmentId>) -> Built {
        let mut begun = vec![false; ways.len()];
        let text = self.free(&tags.triggers, &tags.excludes, exit, |own, found| {
            let mut rests = Vec::new();
            for &trigger in found {
                let trigger = own.bytes(&tags.triggers[trigger as usize])?;
                for ((begin, next), begun) in ways.iter().zip(&mut begun) {
                    if let Some(rest) = begin.strip_prefix(&trigger[..]) {
                        *begun = true;
                        rests.push((rest.to_vec(), *next));
                    }
                }
            }
            Ok(vec![own.ways(rests)?])
        })?;
        match begun.iter().position(|begun| !begun) {
            Some(index) => {
                self.within("tags", |own| own.within(index, |own| Err(own.never_written(&tags.tags[index].begin[0]))))
            }
            None => Ok(text),
        }
    }
}
