//! A beginning, a content and its ends: free text in the content goes up to the first of the ends.

use jig_guides::{After, Marker, Part, Tag};

/// The tag that begins so, and ends with one of `ends`, or with its content if there are none.
pub(super) fn closed(begin: Marker, content: Part, ends: Vec<Marker>) -> Tag {
    let begin = match begin {
        Marker::Text(text) if text.is_empty() => Vec::new(),
        begin => vec![begin],
    };
    Tag { begin, content: until(content, ends), ends: Vec::new() }
}

/// A content up to one of `ends`, and that end.
pub(super) fn until(content: Part, ends: Vec<Marker>) -> Part {
    if ends.is_empty() {
        return content;
    }
    match content {
        Part::Free { excludes } => Part::Until { ends, excludes },
        Part::Sequence(mut parts) => match parts.pop() {
            Some(last) => {
                parts.push(until(last, ends));
                Part::Sequence(parts)
            }
            None => end(ends),
        },
        Part::Choice(parts) => Part::Choice(parts.into_iter().map(|part| until(part, ends.clone())).collect()),
        Part::Triggered(mut tags) => {
            if tags.after == After::Free {
                tags.excludes.extend(ends.iter().cloned());
            }
            Part::Sequence(vec![Part::Triggered(tags), end(ends)])
        }
        content => Part::Sequence(vec![content, end(ends)]),
    }
}

/// One of the ends.
fn end(mut ends: Vec<Marker>) -> Part {
    match ends.len() {
        1 => Part::Constant(ends.remove(0)),
        _ => Part::Choice(ends.into_iter().map(Part::Constant).collect()),
    }
}
