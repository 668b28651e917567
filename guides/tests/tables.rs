//! Checks every entry of the tables in `data`.

mod support;

use support::cases::{self, Case};
use support::{accepts, vocabulary, whole};

/// The expectations of an entry that do not hold, one per line.
fn failures(case: &Case) -> Vec<String> {
    let guide = match (case.compile(&vocabulary()), &case.refused) {
        (Ok(guide), None) => guide,
        (Ok(_), Some(_)) => return vec!["is not refused".to_owned()],
        (Err(error), None) => return vec![format!("is refused: {error}")],
        (Err(error), Some(expected)) => {
            let found = cases::refusal(&error);
            let expected = expected.as_object().expect("an object").iter();
            let others = expected.filter(|(field, value)| match field.as_str() {
                "says" => !error.to_string().contains(value.as_str().expect("a text")),
                field => found.get(field) != Some(value),
            });
            return others.map(|(field, value)| format!("{field} is not {value}: {error}: {found}")).collect();
        }
    };
    let mut lines = Vec::new();
    for (expected, values) in [(true, &case.valid), (false, &case.invalid)] {
        let others = values.iter().filter(|value| accepts(&guide.start(), value) != expected);
        lines.extend(others.map(|value| format!("{}: {value}", if expected { "rejected" } else { "accepted" })));
    }
    for (expected, texts) in [(true, &case.valid_text), (false, &case.invalid_text)] {
        let others = texts.iter().filter(|text| whole(&guide, text) != expected);
        lines.extend(others.map(|text| format!("{}: the text {text}", if expected { "rejected" } else { "accepted" })));
    }
    lines
}

fn check(table: &str) {
    let lines: Vec<String> = cases::read(table)
        .iter()
        .flat_map(|case| failures(case).into_iter().map(|line| format!("{}: {line}", case.name)))
        .collect();
    assert!(lines.is_empty(), "{} failures:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn strings_are_accepted_and_rejected_as_the_table_says() {
    check("strings");
}

#[test]
fn patterns_accept_and_reject_as_the_table_says() {
    check("patterns");
}

#[test]
fn numbers_are_accepted_and_rejected_as_the_table_says() {
    check("numbers");
}

#[test]
fn multiples_are_accepted_and_rejected_as_the_table_says() {
    check("multiples");
}

#[test]
fn numbers_have_the_digits_that_the_table_says() {
    check("digits");
}

#[test]
fn arrays_are_accepted_and_rejected_as_the_table_says() {
    check("arrays");
}

#[test]
fn objects_are_accepted_and_rejected_as_the_table_says() {
    check("objects");
}

#[test]
fn combinations_of_schemas_accept_and_reject_as_the_table_says() {
    check("combining");
}

#[test]
fn many_conditions_on_one_value_accept_and_reject_as_the_table_says() {
    check("conditions");
}

#[test]
fn where_nothing_can_match_the_place_is_named_as_in_the_table() {
    check("contradictions");
}

#[test]
fn formats_accept_and_reject_as_the_table_says() {
    check("formats");
}

#[test]
fn schemas_with_hard_masks_accept_and_reject_as_the_table_says() {
    check("masks");
}

#[test]
fn schemas_with_a_known_shortest_answer_accept_and_reject_as_the_table_says() {
    check("shortest");
}

#[test]
fn length_limits_bound_strings_and_arrays_and_refuse_schemas_that_require_more() {
    check("limits");
}

#[test]
fn schemas_are_refused_with_the_pointer_and_the_reason_in_the_table() {
    check("refused");
}

#[test]
fn entries_that_must_differ_are_accepted_and_rejected_as_the_table_says() {
    check("unique");
}

#[test]
fn regexes_match_whole_texts_or_are_refused_as_the_table_says() {
    check("regex");
}

#[test]
fn an_independent_validator_agrees_with_the_values_in_the_tables() {
    for case in cases::plain() {
        let Some(validator) = case.validator() else { continue };
        for (expected, values) in [(true, &case.valid), (false, &case.invalid)] {
            for value in values {
                assert_eq!(validator.is_valid(value), expected, "{}: {value}", case.name);
            }
        }
    }
}
