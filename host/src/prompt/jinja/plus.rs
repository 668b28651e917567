//! `+` on strings that were marked safe.
//!
//! In Python, a string that the filter `safe` marked escapes what is put beside it with `+`: `"<" + (x | safe)` is `&lt;` and `x`, though
//! nothing else is escaped. `minijinja` can't be told so. In a template that uses `safe`, every sum is therefore written as a filter:
//! `a + b - c + d` as `((a)|_plus(b) - c)|_plus(d)`.

use minijinja::{Error, State, Value, context};

/// The name of the filter.
pub(super) const PLUS: &str = "_plus";

/// Whether a template's sums are written as filters.
pub(super) fn is_needed(template: &str) -> bool {
    template.split('|').skip(1).any(|filter| {
        let name = filter.trim_start();
        ["safe", "escape", "forceescape", "e"].iter().any(|known| {
            name.strip_prefix(known).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    })
}

/// The content of a tag with its sums as filters.
pub(super) fn rewrite(content: &str) -> String {
    let mut at = 0;
    group(content, &mut at)
}

/// Words that end an expression at the level of sums.
const KEYWORDS: [&str; 7] = ["if", "else", "and", "or", "not", "in", "recursive"];
/// Words that begin a tag.
const STATEMENTS: [&str; 10] = ["set", "if", "elif", "for", "macro", "call", "print", "filter", "with", "do"];

/// Sums up to the bracket that closes the group, or the end.
fn group(text: &str, at: &mut usize) -> String {
    let mut written = String::new();
    let mut sum = Sum::default();
    let mut last_word = "";
    let begin = *at;
    while let Some(character) = text[*at..].chars().next() {
        let rest = &text[*at..];
        let mut length = character.len_utf8();
        match character {
            ')' | ']' | '}' => break,
            '(' | '[' | '{' => {
                *at += length;
                let inner = group(text, at);
                let close = text[*at..].chars().next().map(String::from).unwrap_or_default();
                sum.operand.push(character);
                sum.operand.push_str(&inner);
                sum.operand.push_str(&close);
                length = close.len();
                last_word = "";
            }
            '"' | '\'' => {
                length = super::source::end_of_string(rest).unwrap_or(rest.len());
                sum.operand.push_str(&rest[..length]);
                last_word = "";
            }
            '+' => sum.plus(),
            '-' if !sum.operand.trim().is_empty() => sum.minus(),
            ',' | ':' | '=' | '!' | '<' | '>' => {
                length = if rest[1..].starts_with('=') { 2 } else { 1 };
                sum.end(&mut written);
                written.push_str(&rest[..length]);
                last_word = "";
            }
            _ if character.is_alphabetic() || character == '_' => {
                length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let word = &rest[..length];
                let is_first = text[begin..*at].trim().is_empty() && begin == 0;
                let is_attribute = sum.operand.ends_with('.');
                if !is_attribute
                    && last_word != "is"
                    && (KEYWORDS.contains(&word) || (is_first && STATEMENTS.contains(&word)))
                {
                    sum.end(&mut written);
                    written.push_str(word);
                } else {
                    sum.operand.push_str(word);
                }
                last_word = word;
            }
            _ => {
                if !character.is_whitespace() {
                    last_word = "";
                }
                sum.operand.push(character);
            }
        }
        *at += length;
    }
    sum.end(&mut written);
    written
}

/// A sum under way.
#[derive(Default)]
struct Sum {
    /// What was added up so far; `None` before the first operator.
    before: Option<String>,
    operator: Operator,
    operand: String,
}

#[derive(Clone, Copy, Default)]
enum Operator {
    #[default]
    Plus,
    Minus,
}

impl Sum {
    fn plus(&mut self) {
        if self.operand.trim().is_empty() {
            // A sign.
            return self.operand.push('+');
        }
        self.fold(Operator::Plus);
    }

    fn minus(&mut self) {
        self.fold(Operator::Minus);
    }

    fn fold(&mut self, next: Operator) {
        self.before = Some(self.text());
        self.operand.clear();
        self.operator = next;
    }

    fn text(&self) -> String {
        match (&self.before, self.operator) {
            (None, _) => self.operand.clone(),
            (Some(before), Operator::Plus) => format!(" ({before})|{PLUS}({}) ", self.operand),
            (Some(before), Operator::Minus) => format!("{before}-{}", self.operand),
        }
    }

    fn end(&mut self, written: &mut String) {
        written.push_str(&self.text());
        *self = Self::default();
    }
}

/// `a + b`, where a string that was marked safe escapes the other.
pub(super) fn plus(state: &State, a: &Value, b: &Value) -> Result<Value, Error> {
    match (a.as_str(), b.as_str()) {
        (Some(left), Some(right)) if a.is_safe() || b.is_safe() => {
            let side = |text: &str, value: &Value| if value.is_safe() { text.to_owned() } else { escaped(text) };
            Ok(Value::from_safe_string(side(left, a) + &side(right, b)))
        }
        (Some(left), Some(right)) => Ok(Value::from([left, right].concat())),
        _ => state.env().compile_expression("a + b")?.eval(context! { a, b }),
    }
}

/// As Python's `markupsafe` escapes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of an expression, with its sums as they are and as filters.
    fn both(expression: &str) -> (String, String) {
        let mut environment = minijinja::Environment::new();
        environment.add_filter(PLUS, plus);
        let context = || context! { x => "a", n => 3, list => [1, 2] };
        let render =
            |text: &str| environment.render_str(text, context()).unwrap_or_else(|error| format!("{text}: {error}"));
        (render(&format!("{{{{{expression}}}}}")), render(&format!("{{{{{}}}}}", rewrite(expression))))
    }

    #[test]
    fn a_sum_as_filters_has_the_value_of_the_sum() {
        for expression in [
            " 1 + 2 * n - 1 + n ",
            " 10 - 2 - 3 + 1 - -1 ",
            " 'a' + x ~ 'b' + 'c' ",
            " list + [n + 1, -1 + 2] ",
            " {'k': 1 + n}['k'] + 1 == 5 and not (n + 1 == 3) ",
            " 'x' + x if n + 1 is number else 'y' + x ",
            " x + x in 'b' + 'aa' ",
            " 'a' + 'b' | upper + x | replace('a', 'b' + '') ",
            " (list + list)|length + 1 ",
            " n is not none ",
            " list[-1] + list[:1 + 1][0] ",
        ] {
            let (sum, filters) = both(expression);
            assert_eq!(filters, sum, "{expression}: {}", rewrite(expression));
        }
    }

    #[test]
    fn a_safe_string_escapes_the_other_side_of_a_sum_and_no_other_operator_does() {
        assert_eq!(both(" '<\"' + ('<'|safe) + '>' ").1, "&lt;&#34;<&gt;");
        assert_eq!(both(" '<' ~ ('<'|safe) ").1, "<<");
    }

    #[test]
    fn only_templates_that_mark_strings_need_it() {
        assert!(is_needed("{{ x|tojson | safe }}") && is_needed("{{ x|e }}"));
        assert!(!is_needed("{{ x|tojson }} safe | safety {{ x|else }}"));
    }

    #[test]
    fn statements_keep_their_words() {
        for statement in
            [" set x.y = 1 ", " endif ", " for a, b in list if not a ", " macro f(a, b=1) ", " if x.if == 'a + b' "]
        {
            assert_eq!(rewrite(statement), statement);
        }
    }
}
