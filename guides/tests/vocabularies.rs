//! Vocabularies that lack some bytes. Text that needs a missing byte is not generated, and a source that requires such text is refused.

mod support;

use jig_guides::{Compiler, Documents, Guide, Limits, Options, Source, Vocabulary, Whitespace};
use std::sync::Arc;
use support::Random;

/// The vocabulary of the other tests, without the tokens that contain a byte of `missing`, and with the tokens `whole`.
fn without(missing: &[u8], whole: &[&str]) -> Compiler {
    let all = support::vocabulary();
    let kept = (0..all.len() as u32).filter_map(|id| all.bytes(id));
    let kept = kept.filter(|bytes| !bytes.iter().any(|byte| missing.contains(byte))).map(<[u8]>::to_vec);
    let whole = whole.iter().map(|token| token.as_bytes().to_vec());
    let tokens: Vec<Option<Vec<u8>>> = kept.chain(whole).map(Some).chain([None]).collect();
    let end = tokens.len() as u32 - 1;
    Compiler::new(Arc::new(Vocabulary::new(tokens, vec![end]).expect("a vocabulary")), Limits::default())
}

fn schema(text: &str) -> Source {
    Source::JsonSchema(text.into())
}

fn regex(text: &str) -> Source {
    Source::Regex(text.into())
}

fn choice(texts: &[&str]) -> Source {
    Source::Choice(texts.iter().map(|text| (*text).into()).collect())
}

fn spaced(whitespace: Whitespace) -> Options {
    let mut options = Options::default();
    options.whitespace = whitespace;
    options
}

/// Whether some sequence of tokens spells the text as a complete answer.
fn writes(guide: &Guide, answer: &str) -> bool {
    let vocabulary = guide.vocabulary();
    let mut at: Vec<Vec<jig_guides::GuideState>> = vec![Vec::new(); answer.len() + 1];
    at[0].push(guide.start());
    for place in 0..answer.len() {
        // All states after the same text are equal, so one is enough.
        let Some(state) = at[place].first().cloned() else { continue };
        let mask = state.mask(None);
        for token in mask.tokens(vocabulary.len()) {
            let Some(bytes) = vocabulary.bytes(token) else { continue };
            if answer.as_bytes()[place..].starts_with(bytes) {
                let mut next = state.clone();
                next.advance(token).expect("an allowed token");
                at[place + bytes.len()].push(next);
            }
        }
    }
    at[answer.len()].iter().any(jig_guides::GuideState::may_end)
}

/// Missing bytes, additional tokens, a source, answers that it allows, and answers that it does not.
type Written<'a> = (&'a [u8], &'a [&'a str], Source, &'a [&'a str], &'a [&'a str]);

#[test]
fn exactly_the_answers_that_tokens_can_spell_are_allowed() {
    let rows: &[Written<'_>] = &[
        // Bytes that no text needs.
        (b"\x00\x0B\xC0\xC1\xF5\xFF\n", &[], schema(r#"{"type":"string"}"#), &[r#""a\n\u0000é😀""#], &[]),
        (b"\xF1\xF2", &[], schema("{}"), &[r#"{"a":[1.5e3,"😀",null,true]}"#], &["\"\u{40000}\"", r#""\ud8c0\udc00""#]),
        (b"\xF1\xF2", &[], regex(".+"), &["a😀\u{10FFFF}"], &["\u{40000}"]),
        // A letter.
        (b"e", &[], schema(r#"{"type":["boolean","null","number"]}"#), &["null", "1.5", "1E3"], &["true", "1e3"]),
        (b"b", &[], schema(r#"{"type":"string","pattern":"^[ab]{3}$"}"#), &[r#""aaa""#], &[r#""aba""#]),
        (
            b"b",
            &[],
            schema(r#"{"properties":{"a":{"const":1},"b":{"const":2}},"additionalProperties":false}"#),
            &[r#"{"a":1}"#, "{}"],
            &[r#"{"a":1,"b":2}"#],
        ),
        (b"b", &[], schema(r#"{"not":{"enum":["b"]},"type":"string","maxLength":1}"#), &[r#""a""#], &[r#""b""#]),
        (b"n", &[], schema(r#"{"type":"string"}"#), &[r#""a\t""#], &[r#""\n""#, r#""\u000a""#]),
        (b"u", &[], schema(r#"{"type":"string"}"#), &[r#""\n""#], &[r#""\u0001""#]),
        (b"f", &[], schema(r#"{"type":"string"}"#), &[r#""\u001F\u00e9""#], &[r#""\f""#]),
        (b"\\", &[], schema(r#"{"type":"string"}"#), &[r#""a""#], &[r#""\"""#]),
        (b"\xA9", &[], schema(r#"{"type":"string"}"#), &["\"è\""], &["\"é\"", r#""\u00e9""#]),
        // White space.
        (b"\n", &[",\n"], schema(r#"{"type":"array","items":{"const":1}}"#), &["[1, 1]"], &["[1,\n1]", "[1\n]"]),
        (b" ", &[], schema(r#"{"type":"array","items":{"const":1}}"#), &["[1,1]"], &["[1, 1]"]),
        // Digits that only occur in longer tokens.
        (
            b"0123456789",
            &["42", "17", "99", "042", ",17", ":9"],
            schema(r#"{"type":"array","items":{"type":"number"}}"#),
            &["[42,17]", "[-4217.42e17]"],
            &["[4]", "[421]", "[042]"],
        ),
        (
            b"0123456789",
            &["42", "17", "99", "4]", "[9"],
            schema(r#"{"type":"array","items":{"type":"integer","minimum":50}}"#),
            &["[4217]", "[174]", "[99]", "[942]"],
            &["[42]", "[9]", "[941]"],
        ),
        (
            b"13579",
            &["10", "13"],
            schema(r#"{"type":"object","additionalProperties":{"type":"integer"}}"#),
            &[r#"{"a":2013}"#, r#"{"b":-10,"a":0}"#],
            &[r#"{"a":1}"#, r#"{"1":0}"#, r#"{"a":20130131}"#],
        ),
        // Structure.
        (b"\"", &["{\"", "\":"], schema("{}"), &["[1,[],{}]"], &[r#""a""#, r#"{"a":1}"#]),
        (b",", &[], schema("{}"), &[r#"[{"a":[1]}]"#], &["[1,1]", r#"{"a":1,"b":1}"#]),
        (b":", &[], schema("{}"), &["[{},1]"], &[r#"{"a":1}"#]),
        (b"[", &[], schema("{}"), &[r#"{"a":1}"#], &["[]"]),
        (b"}", &[], schema("{}"), &["[1]"], &["{}"]),
        // Text that only longer tokens spell.
        (b"0123456789", &["42", "17", "4"], regex("[0-9]{2,4}"), &["42", "17", "4217", "4442", "442"], &["41", "71"]),
        (b"0123456789", &["00", "42", "17"], regex("a?[0-9]{2,5}b"), &["a42b", "0042b"], &["a421b", "4b"]),
        (b"xyz", &["xy", "xyz", "zx"], regex("[xyz]+"), &["xyxyz", "xyzx", "zxzxxy"], &["x", "xyx", "yz"]),
        (b"g", &["dog", "og!"], choice(&["dog", "cat", "dog!"]), &["dog", "cat", "dog!"], &["do"]),
        (b"\n", &[], regex("a\n?b"), &["ab"], &["a\nb"]),
        (b"\"", &["\"a", "b\""], regex("\"[ab]+\""), &["\"ab\"", "\"aabb\""], &["\"a\"", "\"b\""]),
    ];
    for (missing, whole, source, written, not_written) in rows {
        let guide = without(missing, whole).compile(source, &spaced(Whitespace::Any));
        let guide = guide.unwrap_or_else(|error| panic!("{source:?}: {error}"));
        written.iter().for_each(|answer| assert!(writes(&guide, answer), "{missing:?} {source:?}: {answer}"));
        not_written.iter().for_each(|answer| assert!(!writes(&guide, answer), "{missing:?} {source:?}: {answer}"));
    }
}

#[test]
fn a_literal_of_another_document_is_refused_by_its_place_in_that_document() {
    let mut documents = Documents::default();
    documents.add(Some("https://a.example/pets"), r#"{"enum":["cat","dog"]}"#).expect("a schema");
    let compiler = without(b"g", &[]).with_documents(documents);
    let source = schema(r#"{"$ref":"https://a.example/pets"}"#);
    let error = compiler.compile(&source, &Options::default()).expect_err("a missing byte").to_string();
    assert!(
        error.starts_with(r#"schema at https://a.example/pets#/enum/1: the model's vocabulary cannot spell "dog":"#),
        "{error}"
    );
}

#[test]
fn a_source_that_requires_a_missing_byte_is_refused_by_its_pointer() {
    let rows: &[(&[u8], Source, Whitespace, &str)] = &[
        (
            b"g",
            schema(r#"{"enum":["cat","dog"]}"#),
            Whitespace::Any,
            r#"schema at /enum/1: the model's vocabulary cannot spell "dog": no token is the single byte 0x67 ('g')"#,
        ),
        (
            b"4",
            schema(r#"{"properties":{"a":{"enum":[1,[4]]}}}"#),
            Whitespace::Any,
            "schema at /properties/a/enum: the model's vocabulary cannot spell 4:",
        ),
        (
            b"g",
            schema(r#"{"anyOf":[{"type":"null"},{"const":"dog"}]}"#),
            Whitespace::Any,
            r#"schema at /anyOf/1/const: the model's vocabulary cannot spell "dog""#,
        ),
        (
            b"g",
            schema(r#"{"type":"object","required":["dog"]}"#),
            Whitespace::Any,
            r#"schema at /required: the model's vocabulary cannot spell the key "dog""#,
        ),
        (
            b"0123456789",
            schema(r#"{"type":"integer"}"#),
            Whitespace::Any,
            "cannot spell any of its numbers: no token is the single byte 0x30 ('0')",
        ),
        (
            b"\"",
            schema(r#"{"type":"string"}"#),
            Whitespace::Any,
            "cannot spell `\"`: no token is the single byte 0x22 ('\"')",
        ),
        (
            b"\"",
            schema(r#"{"type":"object","minProperties":1}"#),
            Whitespace::Any,
            "no token is the single byte 0x22 ('\"')",
        ),
        (b"{", schema(r#"{"type":"object"}"#), Whitespace::Any, "no token is the single byte 0x7b ('{')"),
        (
            b"\xC3",
            schema(r#"{"type":"string","pattern":"^é$"}"#),
            Whitespace::Any,
            "cannot spell any of its strings: no token is the single byte 0xc3",
        ),
        (b"\n", schema("{}"), Whitespace::Pretty, "`whitespace: pretty`: no token is the single byte 0x0a"),
        (b" ", schema("{}"), Whitespace::Spaces, "`whitespace: spaces`: no token is the single byte 0x20"),
        (
            b"\n",
            regex("a\nb"),
            Whitespace::Any,
            "guide: the model's vocabulary cannot spell any text that the regex matches: no token is the single byte 0x0a",
        ),
        (
            b"g",
            choice(&["cat", "dog"]),
            Whitespace::Any,
            r#"guide: the model's vocabulary cannot spell choice 1, "dog": no token is the single byte 0x67"#,
        ),
    ];
    for (missing, source, whitespace, message) in rows {
        let options = spaced(*whitespace);
        let error = without(missing, &[]).compile(source, &options).err();
        let error = error.unwrap_or_else(|| panic!("{source:?} should be refused")).to_string();
        assert!(error.contains(message), "{source:?}: {error}");
    }
}

/// Walks at random within a budget, and compares each mask with the result of every single token.
fn check_walk(guide: &Guide, more: u32, random: &mut Random) -> String {
    let vocabulary = guide.vocabulary().clone();
    let (mut state, mut out) = (guide.start(), Vec::new());
    let budget = guide.min_tokens() + more;
    for step in 0..budget {
        let free = state.mask(None);
        for token in 0..vocabulary.len() as u32 {
            let follows = state.clone().advance(token).is_ok();
            let bytes = String::from_utf8_lossy(vocabulary.bytes(token).unwrap_or_default()).into_owned();
            assert_eq!(free.contains(token), follows, "{bytes:?} after {:?}", String::from_utf8_lossy(&out));
        }
        let left = budget - step;
        let allowed = state.mask(Some(left)).tokens(vocabulary.len());
        assert!(!allowed.is_empty(), "a dead end after {:?} with {left} tokens left", String::from_utf8_lossy(&out));
        let token = allowed[random.below(allowed.len())];
        state.advance(token).expect("an allowed token");
        let Some(bytes) = vocabulary.bytes(token) else { break };
        assert!(state.completes_within(left - 1), "too late after {:?}", String::from_utf8_lossy(&out));
        out.extend(bytes);
    }
    assert!(state.may_end(), "the budget ended before the text: {:?}", String::from_utf8_lossy(&out));
    String::from_utf8(out).expect("UTF-8")
}

const SCHEMAS: &[&str] = &[
    "{}",
    r#"{"type":"string","minLength":2,"maxLength":6}"#,
    r#"{"type":"string","pattern":"^[^/]+/.*$"}"#,
    r#"{"type":"string","pattern":"^(\\w\\n)*[é-😀]*$","maxLength":9}"#,
    r#"{"type":"string","not":{"pattern":"a"}}"#,
    r#"{"type":["number","boolean"],"minimum":-10.5}"#,
    r#"{"type":"integer","multipleOf":3,"minimum":-999,"maximum":99999}"#,
    r#"{"type":"array","items":{"type":["string","integer"]},"minItems":1,"uniqueItems":true,"maxItems":3}"#,
    r#"{"type":"object","properties":{"a":{"type":"integer"},"name":{"type":"string"}},"additionalProperties":{"type":"null"},"minProperties":1}"#,
    r#"{"type":"object","patternProperties":{"^x":{"type":"string"}},"additionalProperties":false,"maxProperties":3}"#,
    r#"{"type":"object","propertyNames":{"pattern":"^[a-f]{1,2}$"},"minProperties":2}"#,
    r#"{"type":"string","format":"hostname"}"#,
    r#"{"type":"string","format":"date"}"#,
];

const REGEXES: &[&str] =
    &["(ab|[0-9a-f]{2})+", "[^x]{1,5}x?", "\"(\\\\.|[^\"\\\\])*\"", "(é|è|\\n)*end", "(12|100|0\\.5)(, )?"];

/// A vocabulary without some single bytes, and with some of the longer tokens that contain them.
fn random_vocabulary(random: &mut Random) -> (Vec<u8>, Compiler) {
    let all = support::vocabulary();
    let count = [1, 3, 10, 40, 120][random.below(5)];
    let among = [(0x20, 0x5F), (0, 0xFF), (0x80, 0x7F)][random.below(3)];
    let missing: Vec<u8> = (0..count).map(|_| (among.0 + random.below(among.1 + 1)) as u8).collect();
    let kept = (0..all.len() as u32).filter_map(|id| all.bytes(id)).filter(|bytes| {
        let lacks = bytes.iter().any(|byte| missing.contains(byte));
        !lacks || bytes.len() > 1 && random.below(2) == 0
    });
    let tokens: Vec<Option<Vec<u8>>> = kept.map(|bytes| Some(bytes.to_vec())).chain([None]).collect();
    let end = tokens.len() as u32 - 1;
    (missing, Compiler::new(Arc::new(Vocabulary::new(tokens, vec![end]).expect("a vocabulary")), Limits::default()))
}

#[test]
fn with_any_bytes_missing_walks_end_and_masks_are_exact() {
    let (mut random, mut walks, mut refused) = (Random(14), 0, 0);
    for round in 0..60 {
        let (missing, compiler) = random_vocabulary(&mut random);
        let sources = SCHEMAS.iter().map(|text| schema(text)).chain(REGEXES.iter().map(|text| regex(text)));
        for source in sources {
            let whitespace = [Whitespace::Optional, Whitespace::Any, Whitespace::Compact][random.below(3)];
            let compiled = compiler.compile(&source, &spaced(whitespace));
            let guide = match compiled {
                Ok(guide) => guide,
                Err(error) => {
                    assert!(matches!(error, jig_guides::CompileError::Vocabulary { .. }), "{source:?}: {error}");
                    refused += 1;
                    continue;
                }
            };
            let more = [0, 1, 5, 30][random.below(4)];
            println!("round {round}, without {missing:?}: {source:?}");
            let answer = check_walk(&guide, more, &mut random);
            assert!(writes(&guide, &answer));
            if let Source::JsonSchema(schema) = &source {
                let schema = serde_json::from_str(schema).expect("JSON");
                let value = serde_json::from_str(&answer).expect("JSON");
                assert!(jsonschema::is_valid(&schema, &value), "{schema}: {answer}");
            }
            walks += 1;
        }
    }
    println!("{walks} walks, {refused} refused");
    assert!(walks > 600 && refused > 50, "{walks} {refused}");
}
