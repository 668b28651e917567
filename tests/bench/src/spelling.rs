//! Whether a guide accepts a value in one of its spellings.

use jig_guides::GuideState;
use serde_json::Value;

use crate::cases::respace;

/// States that are kept beside each other: the spellings of a number may leave a guide in states that differ.
const STATES: usize = 8;

/// Numbers beyond this are not spelled in other ways: they would lose digits.
const EXACT: f64 = (1_u64 << 53) as f64;

/// Whether some spelling of the value, given as JSON text, is a whole output. The guide's vocabulary must be
/// [`Tokens::of_bytes`](crate::tokens::Tokens::of_bytes), and it must allow any order of members.
pub(crate) fn accepts(start: &GuideState, value: &str) -> bool {
    let mut states = vec![start.clone()];
    text(&mut states, &respace(value, false));
    if !states.iter().any(GuideState::may_end)
        && let Ok(value) = serde_json::from_str(value)
    {
        states = vec![start.clone()];
        write(&mut states, &value);
    }
    states.iter().any(GuideState::may_end)
}

/// Moves all states over the value; those that do not allow it are dropped.
fn write(states: &mut Vec<GuideState>, value: &Value) {
    match value {
        Value::Object(members) => {
            text(states, "{");
            for (i, (key, value)) in members.iter().enumerate() {
                text(states, &format!("{}{}:", separator(i), Value::from(key.as_str())));
                write(states, value);
            }
            text(states, "}");
        }
        Value::Array(items) => {
            text(states, "[");
            for (i, item) in items.iter().enumerate() {
                text(states, separator(i));
                write(states, item);
            }
            text(states, "]");
        }
        Value::Number(number) => {
            let mut spellings = vec![number.to_string()];
            // An integer may be demanded where the value is written as `1.0` or `1e3`, and the other way round.
            spellings.extend(number.as_f64().filter(|float| float.abs() < EXACT).map(|float| float.to_string()));
            spellings.dedup();
            let spelled = spellings.iter().flat_map(|spelling| {
                let mut states = states.clone();
                text(&mut states, spelling);
                states
            });
            *states = spelled.take(STATES).collect();
        }
        other => text(states, &other.to_string()),
    }
}

fn separator(index: usize) -> &'static str {
    if index > 0 { "," } else { "" }
}

/// Moves all states over a text.
fn text(states: &mut Vec<GuideState>, text: &str) {
    states.retain_mut(|state| text.bytes().all(|byte| state.advance(u32::from(byte)).is_ok()));
}

#[cfg(test)]
mod tests {
    use super::accepts;
    use crate::tokens::Tokens;
    use jig_guides::{Compiler, Limits, Options, Source};

    #[test]
    fn a_number_is_accepted_if_one_of_its_spellings_is() {
        let compiler = Compiler::new(Tokens::of_bytes().vocabulary().unwrap(), Limits::default());
        let source = Source::JsonSchema(r#"{"items":{"type":"integer"}}"#.into());
        let guide = compiler.compile(&source, &Options::default()).unwrap();
        assert!(accepts(&guide.start(), "[1.0, 2, 3e2]"));
        assert!(!accepts(&guide.start(), "[1.5]"));
    }
}
