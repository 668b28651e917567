//! Over small tokenizers made here, and over real ones where `JIG_TEST_DATA` names a directory with them.

use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::testing::byte_level_json;
use super::*;

fn sentencepiece_json() -> Value {
    let mut names: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
    names.extend((0..=255u8).map(|byte| format!("<0x{byte:02X}>")));
    names.extend(('!'..='~').map(String::from));
    names.extend(["▁", "é", "▁P", "▁Pa", "▁▁"].map(String::from));
    let merges = [("▁", "P"), ("▁P", "a"), ("▁", "▁")];
    let vocab: serde_json::Map<String, Value> =
        names.iter().enumerate().map(|(id, name)| (name.clone(), json!(id))).collect();
    let special = |id: u32, name: &str| json!({"id": id, "content": name, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false});
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
                  "vocab": vocab, "merges": merges},
    })
}

fn word_piece_json() -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "play": 1, "##ing": 2, "chess": 3, "!": 4}},
    })
}

fn load(tokenizer: &Value, others: &[(&str, Value)]) -> Result<Tokenizer, TokenizerError> {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    for (name, content) in others {
        std::fs::write(directory.path().join(name), content.to_string()).unwrap();
    }
    Tokenizer::load(directory.path())
}

/// What the detokenizer says of tokens, piece by piece.
fn stream(tokenizer: &Tokenizer, tokens: &[u32], skip_special: bool) -> String {
    let mut detokenizer = tokenizer.detokenizer(skip_special);
    let mut text: String = tokens.iter().map(|&token| detokenizer.push(token)).collect();
    text.push_str(&detokenizer.finish());
    text
}

/// The bytes of tokens, put together.
fn spelled(table: &[Option<Vec<u8>>], tokens: &[u32]) -> Vec<u8> {
    tokens.iter().flat_map(|&token| table[token as usize].clone().expect("encoding yields text tokens")).collect()
}

#[test]
fn byte_level_tokens_spell_their_bytes() {
    let tokenizer = load(&byte_level_json(), &[("tokenizer_config.json", json!({"eos_token": "<|end|>"}))]).unwrap();
    let table = tokenizer.spellings(300).unwrap();
    assert_eq!(table.len(), 300);
    assert_eq!(table[0].as_deref(), Some(&[0][..]));
    assert_eq!(table[255].as_deref(), Some(&[255][..]));
    assert_eq!(table[257].as_deref(), Some(" Pa".as_bytes()));
    assert_eq!(table[258].as_deref(), Some("é".as_bytes()));
    assert_eq!(table[260].as_deref(), Some(&[0xF0, 0x9F][..]), "half a character is a token like any other");
    assert_eq!(table[262], None, "no text is ever encoded as <s>");
    assert_eq!(table[263], None, "a special token is no text");
    assert_eq!(table[264].as_deref(), Some("<think>".as_bytes()), "an added token that is not special is text");
    assert!(table[265..].iter().all(Option::is_none));
    assert_eq!(tokenizer.spellings(100).unwrap().len(), 100);
}

#[test]
fn sentencepiece_tokens_spell_what_they_add_to_a_text() {
    let tokenizer = load(&sentencepiece_json(), &[]).unwrap();
    let table = tokenizer.spellings(tokenizer.len()).unwrap();
    let spells = |name: &str| table[tokenizer.token_id(name).unwrap() as usize].clone();
    assert_eq!(spells("▁Pa").unwrap(), b" Pa");
    assert_eq!(spells("▁▁").unwrap(), b"  ");
    assert_eq!(spells("<0x0A>").unwrap(), b"\n");
    assert_eq!(spells("é").unwrap(), "é".as_bytes());
    assert_eq!((spells("<unk>"), spells("<s>"), spells("</s>")), (None, None, None));
}

#[test]
fn the_first_space_of_a_prompt_is_not_text_but_that_of_an_output_is() {
    let tokenizer = load(&sentencepiece_json(), &[]).unwrap();
    let tokens = tokenizer.encode("Pa", false).unwrap();
    assert_eq!(tokens, [tokenizer.token_id("▁Pa").unwrap()]);
    assert_eq!(tokenizer.decode(&tokens, true), "Pa");
    assert_eq!(stream(&tokenizer, &tokens, true), " Pa");
}

#[test]
fn a_word_piece_tokenizer_makes_free_text_and_refuses_guides() {
    let tokenizer = load(&word_piece_json(), &[]).unwrap();
    let tokens = tokenizer.encode("playing chess !", false).unwrap();
    assert_eq!(tokens, [1, 2, 3, 4]);
    assert_eq!(stream(&tokenizer, &tokens, true), tokenizer.decode(&tokens, true));
    let refusal = tokenizer.spellings(5).unwrap_err().to_string();
    assert!(refusal.contains("WordPiece"), "{refusal}");
}

#[test]
fn a_vocabulary_without_braces_follows_guides_that_need_none_and_names_them_in_others() {
    use jig_guides::{Compiler, Limits, Options, Source};
    let mut json = sentencepiece_json();
    json["decoder"]["decoders"].as_array_mut().unwrap().remove(1);
    json["model"]["byte_fallback"] = json!(false);
    let vocab = json["model"]["vocab"].as_object_mut().unwrap();
    vocab.retain(|name, _| name != "{" && name != "}");
    let vocabulary =
        load(&json, &[("generation_config.json", json!({"eos_token_id": 2}))]).unwrap().vocabulary(400).unwrap();
    let compiler = Compiler::new(Arc::new(vocabulary), Limits::default());
    let compile = |schema: &str| compiler.compile(&Source::JsonSchema(schema.to_owned()), &Options::default());
    assert!(compile(r#"{"type":"array","items":{"type":"integer"}}"#).is_ok());
    let refusal = compile(r#"{"type":"object"}"#).unwrap_err().to_string();
    assert!(refusal.contains("no token is the single byte 0x7b ('{')"), "{refusal}");
}

#[test]
fn all_files_are_asked_for_end_tokens() {
    let others = [
        ("tokenizer_config.json", json!({"eos_token": {"content": "<|end|>"}})),
        ("config.json", json!({"eos_token_id": 10, "text_config": {"eos_token_id": [11]}})),
        ("generation_config.json", json!({"eos_token_id": [263, 9, -1]})),
    ];
    let tokenizer = load(&byte_level_json(), &others).unwrap();
    assert_eq!(tokenizer.end_tokens(), [9, 10, 11, 263]);
    let table = tokenizer.spellings(265).unwrap();
    assert!([9, 10, 11, 263].iter().all(|&end: &usize| table[end].is_none()), "what ends a text is no text");
    assert_eq!(load(&byte_level_json(), &[]).unwrap().end_tokens(), [0; 0]);
}

#[test]
fn special_tokens_are_skipped_where_asked() {
    let tokenizer = load(&byte_level_json(), &[]).unwrap();
    let tokens = [b'a'.into(), 263, b'b'.into()];
    assert_eq!(tokenizer.decode(&tokens, true), "ab");
    assert_eq!(tokenizer.decode(&tokens, false), "a<|end|>b");
    assert_eq!(stream(&tokenizer, &tokens, true), "ab");
    assert_eq!(stream(&tokenizer, &tokens, false), "a<|end|>b");
    assert_eq!(tokenizer.decode(&[4_000_000], false), "", "an id without a token spells nothing");
}

#[test]
fn a_character_comes_when_its_last_byte_does() {
    let tokenizer = load(&byte_level_json(), &[]).unwrap();
    let mut detokenizer = tokenizer.detokenizer(true);
    let pieces: Vec<String> = "a€".bytes().map(|byte| detokenizer.push(byte.into())).collect();
    assert_eq!(pieces, ["a", "", "", "€"]);
    assert_eq!(detokenizer.push(0xE2), "");
    assert_eq!(detokenizer.push(b'x'.into()), "\u{FFFD}x");
    assert_eq!(detokenizer.push(0xE2), "");
    assert_eq!(detokenizer.finish(), "\u{FFFD}");
}

#[test]
fn bad_words_come_with_and_without_a_space() {
    let tokenizer = load(&sentencepiece_json(), &[]).unwrap();
    let id = |name: &str| tokenizer.token_id(name).unwrap();
    let expected = [vec![id("P"), id("a")], vec![id("▁Pa")]];
    assert_eq!(tokenizer.bad_words_tokens("Pa").unwrap(), expected);
    assert_eq!(tokenizer.bad_words_tokens(" Pa").unwrap(), expected);
    let tokenizer = load(&byte_level_json(), &[]).unwrap();
    assert_eq!(tokenizer.bad_words_tokens("Pa").unwrap(), [vec![b'P'.into(), b'a'.into()], vec![257]]);
}

#[test]
fn truncation_and_padding_of_the_file_do_not_touch_prompts() {
    let mut json = byte_level_json();
    json["truncation"] = json!({"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"});
    json["padding"] = json!({"strategy": {"Fixed": 4_000_000_000_u64}, "direction": "Right", "pad_to_multiple_of": null,
                             "pad_id": 0, "pad_type_id": 0, "pad_token": "!"});
    assert_eq!(load(&json, &[]).unwrap().encode("xyz", true).unwrap().len(), 3);
}

#[test]
fn malformed_files_are_errors_that_name_the_file() {
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut json = byte_level_json();
        change(&mut json);
        load(&json, &[]).err().map(|error| error.to_string())
    };
    for change in [
        &(|json: &mut Value| json["decoder"] = json!(3)) as &dyn Fn(&mut Value),
        &|json| json["model"] = json!({}),
        &|json| json["model"]["merges"] = json!(["no-such merge"]),
        &|json| json["decoder"] = json!({"type": "Sequence"}),
        &|json| json["added_tokens"][0]["id"] = json!(-1),
        &|json| json["model"]["vocab"]["far"] = json!(u32::MAX),
        &|json| *json = json!([]),
    ] {
        let message = broken(change).expect("refused");
        assert!(message.contains("tokenizer.json"), "{message}");
    }
    let message = load(&byte_level_json(), &[("generation_config.json", json!("x"))]);
    assert_eq!(message.unwrap().end_tokens(), [0; 0]);
    let missing = Tokenizer::load(Path::new("/nonexistent")).err().unwrap().to_string();
    assert!(missing.contains("/nonexistent/tokenizer.json"), "{missing}");
}

/// Texts of the kinds that tokenizers treat differently.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z ]{1,12}",
        r#"[{}\[\]":,0-9. \\n-]{1,12}"#,
        "[ \t\r\n]{1,4}",
        "\\PC{1,6}",
        "[äöüéñ東京都данные]{1,4}",
        Just("👩‍👩‍👧".to_owned()),
        Just("<0x0A>".to_owned()),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_bytes_of_a_texts_tokens_are_the_text(text in texts()) {
        let tokenizer = load(&byte_level_json(), &[]).unwrap();
        let table = tokenizer.spellings(tokenizer.len()).unwrap();
        let tokens = tokenizer.encode(&text, false).unwrap();
        prop_assert_eq!(spelled(&table, &tokens), text.as_bytes());
        prop_assert_eq!(tokenizer.decode(&tokens, true), text.clone());
        prop_assert_eq!(stream(&tokenizer, &tokens, true), text.clone());

        let tokenizer = load(&sentencepiece_json(), &[]).unwrap();
        let table = tokenizer.spellings(tokenizer.len()).unwrap();
        let tokens = tokenizer.encode(&text, false).unwrap();
        let output = if text.is_empty() { String::new() } else { format!(" {text}") };
        prop_assert_eq!(spelled(&table, &tokens), output.as_bytes());
        prop_assert_eq!(tokenizer.decode(&tokens, true), text);
    }

    #[test]
    fn any_tokens_stream_to_what_they_decode_to(tokens in prop::collection::vec(0u32..270, 0..64), skip in any::<bool>()) {
        let tokenizer = load(&byte_level_json(), &[]).unwrap();
        prop_assert_eq!(stream(&tokenizer, &tokens, skip), tokenizer.decode(&tokens, skip));
        let mut detokenizer = tokenizer.detokenizer(skip);
        for token in tokens {
            detokenizer.push(token);
        }
        prop_assert!(detokenizer.finish().chars().count() <= 1, "no more than one character is held back");
    }

    #[test]
    fn no_malformed_file_panics(at in 0usize..2000, byte in any::<u8>(), cut in 0usize..4000) {
        let mut text = byte_level_json().to_string().into_bytes();
        let len = text.len();
        text[at % len] = byte;
        text.truncate(len.saturating_sub(cut % 7));
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("tokenizer.json"), text).unwrap();
        if let Ok(tokenizer) = Tokenizer::load(directory.path()) {
            let _ = tokenizer.encode("some text", true).map(|tokens| tokenizer.decode(&tokens, true));
        }
    }
}

/// The directories of real tokenizers.
fn real_tokenizers() -> Vec<(String, Tokenizer)> {
    let Some(data) = std::env::var_os("JIG_TEST_DATA") else {
        println!("skipped: JIG_TEST_DATA is not set");
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(Path::new(&data).join("tokenizers")).expect("JIG_TEST_DATA has tokenizers/") {
        let path = entry.unwrap().path();
        if path.join("tokenizer.json").exists() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.push((name, Tokenizer::load(&path).unwrap()));
        }
    }
    found
}

#[test]
fn the_text_of_a_special_token_at_a_literal_place_is_plain_text() {
    let tokenizer = testing::byte_level();
    let text = "a<|end|>b<|end|> Pa<think>";
    let tokens = |literal: &[std::ops::Range<usize>]| tokenizer.encode_rendered(text, literal).expect("tokens");
    let ends = |tokens: &[u32]| tokens.iter().filter(|&&token| token == testing::END).count();
    assert_eq!(tokens(&[]), tokenizer.encode(text, false).expect("tokens"));
    let (first, second) = (1..8, 9..16);
    for (literal, left) in [(vec![first.clone()], 1), (vec![second.clone()], 1), (vec![first, second], 0)] {
        let tokens = tokens(&literal);
        assert_eq!(ends(&tokens), left, "{literal:?}");
        assert_eq!(tokenizer.decode(&tokens, false), text, "{literal:?}");
        // Only special tokens become text, and what stands beside them is tokenized as ever.
        assert_eq!(tokens.last(), Some(&264));
    }
    for outside in [1..2, 0..9] {
        assert!(tokenizer.encode_rendered("é", &[outside]).is_err());
    }
}

#[test]
fn real_tokenizers_tokenize_rendered_text_as_ever_and_literal_places_as_plain_text() {
    // The vocabulary of a Unigram model, such as t5's, has the special tokens as pieces of text.
    for (name, tokenizer) in real_tokenizers().into_iter().filter(|(name, _)| !name.starts_with("t5")) {
        let special =
            tokenizer.special_tokens().find(|token| token.starts_with('<')).expect("a special token").to_owned();
        let id = tokenizer.token_id(&special).expect("an id");
        let text = format!("{special}user\nWho said {special}? I did.{special} \nAnd then{special}");
        let plain = tokenizer.encode(&text, false).expect("tokens");
        assert_eq!(tokenizer.encode_rendered(&text, &[]).expect("tokens"), plain, "{name}");
        let at = text.find("said ").expect("a place") + 5;
        let place = at..at + special.len();
        let literal = tokenizer.encode_rendered(&text, &[place]).expect("tokens");
        let count = |tokens: &[u32]| tokens.iter().filter(|&&token| token == id).count();
        assert_eq!((count(&plain), count(&literal)), (4, 3), "{name}");
        // Before and behind the stretch in which the place lies, nothing is changed.
        let ends = |tokens: &[u32]| tokens.iter().rposition(|&token| token == id).expect("an end");
        let last = |tokens: &[u32]| tokens[..ends(tokens)].iter().rposition(|&token| token == id).expect("a token");
        assert_eq!(literal[last(&literal)..], plain[last(&plain)..], "{name}");
        assert_eq!(literal[..3], plain[..3], "{name}");
        // Some tokenizers put a space before whatever follows a special token.
        let text = |tokens: &[u32]| tokenizer.decode(tokens, false).replace(' ', "");
        assert_eq!(text(&literal), text(&plain), "{name}");
    }
}

#[test]
fn real_tokenizers_spell_texts_as_the_library_decodes_them() {
    for (name, tokenizer) in real_tokenizers() {
        if name.starts_with("t5") {
            let table = tokenizer.spellings(tokenizer.len()).unwrap();
            let is_token = |text: &str| table.iter().flatten().any(|bytes| bytes == text.as_bytes());
            assert!(is_token("a") && is_token("\"") && !is_token("{") && !is_token("\\"));
            let tokens = tokenizer.encode("Free text works", false).unwrap();
            assert_eq!(stream(&tokenizer, &tokens, true), " Free text works");
            assert_eq!(tokenizer.decode(&tokens, true), "Free text works");
            continue;
        }
        let table = tokenizer.spellings(tokenizer.len()).unwrap();
        let prepends = tokenizer.decode(&tokenizer.encode("a", false).unwrap(), true)
            != stream(&tokenizer, &tokenizer.encode("a", false).unwrap(), true);
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        for _ in 0..200 {
            let text = texts().new_tree(&mut runner).unwrap().current();
            let tokens = tokenizer.encode(&text, false).unwrap();
            let expected = tokenizer.inner.library.decode(&tokens);
            assert_eq!(tokenizer.decode(&tokens, true), expected, "{name}: {text:?}");
            let output = if prepends && !text.is_empty() { format!(" {expected}") } else { expected };
            assert_eq!(spelled(&table, &tokens), output.as_bytes(), "{name}: {text:?}");
            assert_eq!(stream(&tokenizer, &tokens, true), output, "{name}: {text:?}");
        }
        assert!(!tokenizer.end_tokens().is_empty(), "{name}");
    }
}

#[test]
fn real_entries_that_encoding_never_produces_are_no_text() {
    for (name, tokenizer) in real_tokenizers() {
        if name == "opt-125m" {
            let table = tokenizer.spellings(50272).unwrap();
            for special in ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "madeupword0001", "<|endoftext|>"] {
                let id = tokenizer.token_id(special).unwrap() as usize;
                assert_eq!(table[id], None, "{special}");
            }
            assert_eq!(table.iter().flatten().count(), 50265 - 9, "nothing else is left out");
        }
        if name == "qwen3" {
            let id = tokenizer.token_id("<think>").unwrap() as usize;
            assert_eq!(tokenizer.spellings(151_936).unwrap()[id].as_deref(), Some("<think>".as_bytes()));
        }
    }
}

/// SmolLM2 has no tokens for 0xF1, 0xF2, some control characters, and bytes that no text has.
#[test]
fn a_real_tokenizer_without_some_bytes_follows_guides() {
    use jig_guides::{Compiler, Limits, Options, Source};
    let Some((_, tokenizer)) = real_tokenizers().into_iter().find(|(name, _)| name == "smollm2") else {
        println!("skipped: there is no tokenizer smollm2");
        return;
    };
    let vocabulary = tokenizer.vocabulary(tokenizer.len()).unwrap();
    let is_token = |byte: u8| (0..vocabulary.len() as u32).any(|id| vocabulary.bytes(id) == Some(&[byte][..]));
    assert!(is_token(0xF0) && !is_token(0xF1) && !is_token(0xF2) && !is_token(0xFF));
    let compiler = Compiler::new(Arc::new(vocabulary), Limits::default());
    let schema = |schema: &str| Source::JsonSchema(schema.to_owned());
    let written = [
        (schema(r#"{"type":"integer"}"#), "-120"),
        (Source::JsonObject, r#"{"a": ["😀 é中\n\u0001", 1.5e3, null]}"#),
        (schema(r#"{"type":"string","format":"date"}"#), r#""2024-02-29""#),
        (Source::Regex(".+!".to_owned()), "naïve 😀 text!"),
        (Source::Choice(vec!["yes".to_owned(), "nö".to_owned()]), "nö"),
    ];
    for (source, answer) in written {
        let guide =
            compiler.compile(&source, &Options::default()).unwrap_or_else(|error| panic!("{source:?}: {error}"));
        let mut state = guide.start();
        for token in tokenizer.encode(answer, false).unwrap() {
            assert!(state.mask(None).contains(token), "{source:?}: {token}");
            state.advance(token).unwrap();
        }
        assert!(state.may_end(), "{source:?}: {answer}");
    }
    let refusal = compiler.compile(&schema("{\"enum\":[1,\"\u{40000}\"]}"), &Options::default()).unwrap_err();
    assert!(refusal.to_string().starts_with("schema at /enum/1: "), "{refusal}");
}

/// Tokenizers of which a text's length tells something, each with white space of a text that its tokens may take or its normalizer changes.
fn bounded() -> Vec<(&'static str, Value)> {
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut json = byte_level_json();
        change(&mut json);
        json
    };
    vec![
        ("byte level", byte_level_json()),
        ("sentencepiece", sentencepiece_json()),
        ("composed", changed(&|json| json["normalizer"] = json!({"type": "NFC"}))),
        ("decomposed", changed(&|json| json["normalizer"] = json!({"type": "NFD"}))),
        ("lower case", changed(&|json| json["normalizer"] = json!({"type": "Lowercase"}))),
        (
            "without z",
            changed(&|json| {
                json["model"]["vocab"].as_object_mut().unwrap().remove("z");
            }),
        ),
        (
            "strips",
            changed(&|json| {
                (json["added_tokens"][1]["lstrip"], json["added_tokens"][1]["rstrip"]) = (json!(true), json!(true))
            }),
        ),
    ]
}

#[test]
fn a_long_text_has_many_tokens_at_least() {
    for (name, json) in bounded() {
        let tokenizer = load(&json, &[]).unwrap();
        assert!(tokenizer.least_tokens(&"1".repeat(100_000)) > 1000, "{name}");
        assert_eq!((tokenizer.least_tokens(""), tokenizer.least_tokens("x")), (0, 1), "{name}");
    }
}

#[test]
fn nothing_is_told_of_a_text_where_a_step_may_drop_some_of_it() {
    let mut changes: Vec<Value> = vec![word_piece_json()];
    for normalizer in [
        json!({"type": "Strip", "strip_left": true, "strip_right": true}),
        json!({"type": "NFKC"}),
        json!({"type": "Replace", "pattern": {"String": "  "}, "content": " "}),
        json!({"type": "Replace", "pattern": {"Regex": " +"}, "content": " "}),
    ] {
        let mut json = byte_level_json();
        json["normalizer"] = json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, normalizer]});
        changes.push(json);
    }
    let mut removed = byte_level_json();
    removed["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"String": " "}, "behavior": "Removed", "invert": false}, removed["pre_tokenizer"]]});
    changes.push(removed);
    // Characters that it does not know are left out, or are one unknown token together.
    let mut unknown = sentencepiece_json();
    unknown["model"]["byte_fallback"] = json!(false);
    changes.push(unknown);
    let mut few = byte_level_json();
    few["model"]["vocab"].as_object_mut().unwrap().remove("z");
    few["normalizer"] = json!({"type": "Lowercase"});
    changes.push(few);
    let mut normalized = bounded().pop().unwrap().1;
    normalized["normalizer"] = json!({"type": "NFC"});
    normalized["added_tokens"][1]["normalized"] = json!(true);
    changes.push(normalized);
    for json in changes {
        assert_eq!(load(&json, &[]).unwrap().least_tokens(&"1".repeat(100_000)), 0, "{json}");
    }
}

/// Texts of as few tokens as can be.
fn dense_texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        texts(),
        prop::collection::vec(
            prop::sample::select(vec![
                "\u{212A}",
                "\u{2126}",
                "\u{1FEF}",
                "A\u{30A}",
                "\u{3B1}\u{313}\u{300}\u{345}",
                "각",
                " Pa"
            ]),
            1..20
        )
        .prop_map(|pieces| pieces.concat()),
        (0usize..40).prop_map(|spaces| format!("{0}<think>{0}", " ".repeat(spaces))),
        (0usize..9).prop_map(|count| "<|end|>".repeat(count)),
        (0usize..40).prop_map(|count| "z".repeat(count)),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_has_fewer_tokens_than_its_length_tells(text in dense_texts()) {
        for (name, json) in bounded() {
            let tokenizer = load(&json, &[]).unwrap();
            let (least, tokens) = (tokenizer.least_tokens(&text), tokenizer.encode(&text, false).unwrap().len());
            prop_assert!(least <= tokens, "{name}: {least} > {tokens}");
        }
    }
}

#[test]
fn no_text_has_fewer_tokens_than_its_length_tells_with_real_tokenizers() {
    for (name, tokenizer) in real_tokenizers() {
        let known = tokenizer.least_tokens(&"1".repeat(100_000)) > 0;
        assert_eq!(known, !name.starts_with("t5"), "{name}");
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let ids = 0..tokenizer.len() as u32;
        let longest = ids.map(|id| tokenizer.decode(&[id], false)).max_by_key(String::len).unwrap().repeat(20);
        let dense = (0..200).map(|_| dense_texts().new_tree(&mut runner).unwrap().current());
        for text in dense.chain([longest]) {
            let (least, tokens) = (tokenizer.least_tokens(&text), tokenizer.encode(&text, false).unwrap().len());
            assert!(least <= tokens, "{name}: {least} > {tokens}: {text:?}");
        }
    }
}
