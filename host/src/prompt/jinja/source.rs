//! What is mended in a template's text before it is compiled, because `minijinja` reads it otherwise than Jinja, or not at all.
//!
//! | in the text | is written as | why |
//! |---|---|---|
//! | CR LF, CR | LF | Jinja does so |
//! | `{% generation %}`, `{% endgeneration %}` | `{% with %}`, `{% endwith %}` | transformers' tag prints its body, in a scope of its own |
//! | `{% for x in LIST %}` | `{% for x in (LIST)\|_iterated %}` | see [`ITERATED`] |
//! | `a + b` in a template with `safe` | `(a)\|_plus(b)` | see [`plus`] |
//! | a line end behind `{% raw %}` | two | Jinja keeps it |

use super::filters::ITERATED;
use super::plus;

/// The text for `minijinja`.
pub(super) fn mend(template: &str) -> String {
    let text = template.replace("\r\n", "\n").replace('\r', "\n");
    let mut mended = String::with_capacity(text.len() + text.len() / 16);
    let sums = plus::is_needed(&text);
    let mut rest = text.as_str();
    while let Some(at) = rest.find("{%").into_iter().chain(rest.find("{{")).chain(rest.find("{#")).min() {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = match &rest[..2] {
            "{#" => rest.find("#}").map(|end| end + 2),
            "{{" => end_of_tag(rest, "}}"),
            _ => end_of_tag(rest, "%}"),
        };
        // What has no end is for the compiler to refuse.
        let Some(end) = end else { break };
        let (tag, after) = rest.split_at(end);
        rest = after;
        if tag.starts_with("{%") {
            let raw = block(tag, sums, &mut mended);
            if raw {
                if rest.starts_with('\n') && !tag.ends_with("-%}") {
                    mended.push('\n');
                }
                let end = end_of_raw(rest).unwrap_or(rest.len());
                mended.push_str(&rest[..end]);
                rest = &rest[end..];
            }
        } else if sums && tag.starts_with("{{") {
            let (open, content, close) = parts(tag);
            mended.extend([open, &plus::rewrite(content), close]);
        } else {
            mended.push_str(tag);
        }
    }
    mended.push_str(rest);
    mended
}

/// A tag's opening and what controls blanks, its content, and its closing.
fn parts(tag: &str) -> (&str, &str, &str) {
    let begin = 2 + usize::from(matches!(tag.as_bytes().get(2), Some(b'-' | b'+')));
    let end = tag.len() - 2 - usize::from(matches!(tag.as_bytes().get(tag.len() - 3), Some(b'-' | b'+')));
    // `{{-}}` has one sign, which opens.
    let end = end.max(begin);
    (&tag[..begin], &tag[begin..end], &tag[end..])
}

/// Writes a block tag. Whether it begins raw text.
fn block(tag: &str, sums: bool, mended: &mut String) -> bool {
    let (open, content, close) = parts(tag);
    let rewritten = if sums { plus::rewrite(content) } else { String::new() };
    let content = if sums { &rewritten } else { content };
    let word: String = content.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    match word.as_str() {
        "generation" => mended.extend([open, " with ", close]),
        "endgeneration" => mended.extend([open, " endwith ", close]),
        "for" => match iterable(content) {
            Some((from, to)) => {
                let (before, list, after) = (&content[..from], &content[from..to], &content[to..]);
                mended.extend([open, before, "(", list, ")|", ITERATED, " ", after, close]);
            }
            None => mended.extend([open, content, close]),
        },
        _ => mended.extend([open, content, close]),
    }
    word == "raw"
}

/// Where the list of `for TARGETS in LIST [if CONDITION] [recursive]` stands.
fn iterable(content: &str) -> Option<(usize, usize)> {
    let mut from = None;
    let mut to = content.len();
    for (at, word) in words(content) {
        match (word, from) {
            ("in", None) => from = Some(at + word.len()),
            ("if" | "recursive", Some(_)) => {
                to = at;
                break;
            }
            _ => {}
        }
    }
    from.map(|from| (from, to))
}

/// The words of a tag that stand in no string and no brackets, with their places.
fn words(content: &str) -> Vec<(usize, &str)> {
    let (mut words, mut depth, mut at) = (Vec::new(), 0_usize, 0);
    while let Some(character) = content[at..].chars().next() {
        let mut length = character.len_utf8();
        match character {
            '"' | '\'' => length = end_of_string(&content[at..]).unwrap_or(content.len() - at),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ if character.is_alphanumeric() || character == '_' => {
                let rest = &content[at..];
                length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                if depth == 0 {
                    words.push((at, &rest[..length]));
                }
            }
            _ => {}
        }
        at += length;
    }
    words
}

/// Where a tag ends, strings apart.
fn end_of_tag(text: &str, close: &str) -> Option<usize> {
    let mut at = 2;
    let mut depth = 0_usize;
    while at < text.len() {
        let rest = &text[at..];
        // A dict in an expression may end right before the tag does.
        if rest.starts_with(close) && (close == "%}" || depth == 0) {
            return Some(at + 2);
        }
        let character = rest.chars().next()?;
        at += match character {
            '"' | '\'' => end_of_string(rest)?,
            '{' => {
                depth += 1;
                1
            }
            '}' => {
                depth = depth.saturating_sub(1);
                1
            }
            _ => character.len_utf8(),
        };
    }
    None
}

/// The length of a string with its quotes.
pub(super) fn end_of_string(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Where the tag that ends raw text begins.
fn end_of_raw(text: &str) -> Option<usize> {
    text.match_indices("{%").map(|(at, _)| at).find(|&at| {
        let tag = text[at + 2..].trim_start_matches(['-', '+']).trim_start();
        tag.starts_with("endraw")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_line_feeds() {
        assert_eq!(mend("a\r\nb\rc\n"), "a\nb\nc\n");
    }

    #[test]
    fn generation_tags_become_scopes_and_keep_their_control_of_blanks() {
        assert_eq!(mend("{%- generation -%}x{% endgeneration %}"), "{%- with -%}x{% endwith %}");
        assert_eq!(mend("{{ '{% generation %}' }}"), "{{ '{% generation %}' }}");
        assert_eq!(mend("{# {% generation %} #}"), "{# {% generation %} #}");
        assert_eq!(mend("{% raw %}{% generation %}{% endraw %}"), "{% raw %}{% generation %}{% endraw %}");
    }

    #[test]
    fn what_a_loop_goes_over_is_wrapped_up_to_its_condition() {
        assert_eq!(mend("{%- for m in messages -%}"), "{%- for m in( messages )|_iterated -%}");
        let condition = mend("{% for a, b in x['if'] + f(1 if y else 2) if a in b recursive %}");
        assert_eq!(condition, "{% for a, b in( x['if'] + f(1 if y else 2) )|_iterated if a in b recursive %}");
        assert_eq!(mend("{% for c in \"%}\" %}"), "{% for c in( \"%}\" )|_iterated %}");
    }

    #[test]
    fn a_line_end_behind_raw_is_kept() {
        assert_eq!(mend("{% raw %}\n{{ x }}{% endraw %}\n{% if a %}"), "{% raw %}\n\n{{ x }}{% endraw %}\n{% if a %}");
    }

    #[test]
    fn a_tag_that_does_not_end_is_left_for_the_compiler() {
        for text in ["{% for x in 'a %}", "{{ {'a': 1}", "{# a", "{%", "a {"] {
            assert_eq!(mend(text), text);
        }
    }

    #[test]
    fn dicts_in_expressions_do_not_end_them() {
        assert_eq!(
            mend("{{ {'a': {'b': 1}} }}{% for x in {} %}"),
            "{{ {'a': {'b': 1}} }}{% for x in( {} )|_iterated %}"
        );
    }
}
