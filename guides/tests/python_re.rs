//! Regexes on characters of all of Unicode, compared with answers of Python's `re` that `data/python-re/make.py` wrote.

mod support;

use jig_guides::{Guide, Options, Source};
use serde_json::Value;
use std::path::Path;
use support::{compiler, whole};

fn answers(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/python-re").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn guide(regex: &str) -> Guide {
    let source = Source::Regex(regex.to_owned());
    compiler().compile(&source, &Options::default()).unwrap_or_else(|error| panic!("{regex}: {error}"))
}

/// The characters of `61-7a 5f-5f`.
fn characters(ranges: &Value) -> Vec<char> {
    let code = |text: &str| u32::from_str_radix(text, 16).expect("a code");
    let ranges = ranges.as_str().expect("ranges").split(' ').filter_map(|range| range.split_once('-'));
    ranges.flat_map(|(low, high)| code(low)..=code(high)).filter_map(char::from_u32).collect()
}

#[test]
fn classes_have_the_characters_that_python_says_and_their_opposites_all_others() {
    let answers = answers("classes.json");
    let known = characters(&answers["known"]);
    for class in [r"\w", r"\d", r"\s", r"(?a)\w", r"(?a)\d", r"(?a)\s"] {
        let members: std::collections::HashSet<char> = characters(&answers[class]).into_iter().collect();
        assert!(!members.is_empty());
        let opposite = class.to_uppercase().replace("(?A)", "(?a)");
        for (regex, expected) in [(class, true), (opposite.as_str(), false)] {
            let guide = guide(regex);
            for &character in &known {
                let matches = whole(&guide, &character.to_string());
                assert_eq!(matches, members.contains(&character) == expected, "{regex} {:x}", character as u32);
            }
        }
    }
}

#[test]
fn characters_that_differ_in_case_only_are_those_that_python_says() {
    let answers = answers("classes.json");
    let groups = answers["equal"].as_array().expect("groups");
    let every: Vec<char> = groups.iter().flat_map(|group| group.as_str().expect("a text").chars()).collect();
    for (index, group) in groups.iter().enumerate() {
        let group = group.as_str().expect("a text");
        for character in group.chars() {
            let guide = guide(&format!("(?i)\\U{:08x}", character as u32));
            assert!(group.chars().all(|other| whole(&guide, &other.to_string())), "{character} {group}");
            // Each group against a part of the others: all of them would take too long.
            let others = every.iter().skip(index % 50).step_by(50).filter(|other| !group.contains(**other));
            for other in others {
                assert!(!whole(&guide, &other.to_string()), "{character} {other}");
            }
        }
    }
    assert!(groups.len() > 1000);
}

#[test]
fn random_regexes_match_the_texts_that_python_matches() {
    let answers = answers("matches.json");
    let cases = answers["cases"].as_array().expect("cases");
    for case in cases {
        let regex = case["regex"].as_str().expect("a regex");
        let guide = guide(regex);
        for (field, expected) in [("yes", true), ("no", false)] {
            for text in case[field].as_array().expect("texts") {
                let text = text.as_str().expect("a text");
                assert_eq!(whole(&guide, text), expected, "{regex} {text:?}");
            }
        }
    }
    assert_eq!(cases.len(), 400);
}
