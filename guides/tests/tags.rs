//! Outputs in which free text and guided text alternate, compared with all texts of a small alphabet.

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use the trees and the walks")]
mod fuzz;
#[path = "../examples/mask_speed.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use its reader of tokenizers")]
mod mask_speed;
mod support;

use foldhash::{HashMap, HashSet};
use jig_guides::{
    After, Compiler, Delimiters, Guide, GuideState, Limits, Marker, Options, Order, Part, SeparatedTags, Source, Style,
    Tag, TriggeredTags, Values, Vocabulary,
};
use std::borrow::Cow;
use std::sync::Arc;
use support::Random;

/// The bytes of the texts that are enumerated. Byte `SPECIAL` stands for a special token.
const ALPHABET: &[u8] = b"ab<1";
const SPECIAL: u8 = 0xFF;
const SPECIAL_TOKEN: u32 = 257;

/// All bytes, the end token, a special token, and these pieces.
fn compiler(pieces: &[&str]) -> Compiler {
    let bytes = (0..=255u8).map(|byte| Some(vec![byte]));
    let pieces = pieces.iter().map(|piece| Some(piece.as_bytes().to_vec()));
    let tokens: Vec<Option<Vec<u8>>> = bytes.chain([None, None]).chain(pieces).collect();
    Compiler::new(Arc::new(Vocabulary::new(tokens, vec![256]).expect("a vocabulary")), Limits::default())
}

fn text(text: &str) -> Marker {
    Marker::text(text)
}

fn tag(begin: &str, content: Part, end: &str) -> Tag {
    let ends = if end.is_empty() { Vec::new() } else { vec![text(end)] };
    Tag { begin: vec![text(begin)], content, ends }
}

fn regex(regex: &str) -> Part {
    Part::Regex(regex.into())
}

fn repeat(content: Part, min: u32, max: Option<u32>) -> Part {
    Part::Repeat { content: Box::new(content), min, max }
}

/// Members `a` and `b` with these schemas; `delimiters` are those before a name, a string and another value.
fn arguments(a: &str, b: &str, required: &str, delimiters: [&'static str; 3], after: &'static str, any: bool) -> Part {
    let required: Vec<&str> = Some(required).filter(|name| !name.is_empty()).into_iter().collect();
    let [member, before_string, before_other] = delimiters.map(Cow::Borrowed);
    let mut options = Options::default();
    options.order = if any { Order::Any } else { Order::Schema };
    Part::Arguments {
        schema: format!(r#"{{"type":"object","properties":{{"a":{a},"b":{b}}},"required":{required:?}}}"#),
        style: Style::Delimited(Delimiters {
            member,
            before_string,
            after_string: after.into(),
            before_other,
            after_other: "<".into(),
            separator: if any { "b".into() } else { "".into() },
            values: Values::Raw,
        }),
        options: Some(options),
    }
}

fn triggered(triggers: &[&str], tags: Vec<Tag>, excludes: &[&str], min: u32, max: Option<u32>, after: After) -> Part {
    let markers = |texts: &[&str]| texts.iter().map(|word| text(word)).collect();
    Part::triggered(TriggeredTags { triggers: markers(triggers), tags, excludes: markers(excludes), min, max, after })
}

/// A text of the alphabet: three bits for each letter behind a leading one. Sets of all texts are small so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Word(u64);

const EMPTY: Word = Word(1);

impl Word {
    fn of(bytes: &[u8]) -> Option<Word> {
        let letter = |byte: &u8| Some(letters().iter().position(|letter| letter == byte)? as u64);
        bytes.iter().try_fold(EMPTY, |word, byte| Some(Word(word.0 << 3 | letter(byte)?)))
    }

    fn len(self) -> usize {
        (63 - self.0.leading_zeros() as usize) / 3
    }

    fn then(self, other: Word) -> Word {
        let bits = 3 * other.len();
        Word(self.0 << bits | other.0 & ((1 << bits) - 1))
    }

    fn bytes(self) -> Vec<u8> {
        (0..self.len()).rev().map(|at| letters()[(self.0 >> (3 * at) & 7) as usize]).collect()
    }
}

type Words = HashSet<Word>;

fn letters() -> Vec<u8> {
    [ALPHABET, &[SPECIAL]].concat()
}

/// The texts of a part up to a length, by the definition of the part.
struct Language {
    longest: usize,
    /// All texts, with special tokens if the tree names some.
    all: Vec<(Word, Vec<u8>)>,
}

impl Language {
    fn new(longest: usize, special: bool) -> Language {
        let letters: Vec<u8> = ALPHABET.iter().copied().chain(special.then_some(SPECIAL)).collect();
        let (mut all, mut last) = (vec![(EMPTY, Vec::new())], vec![Vec::new()]);
        for _ in 0..longest {
            last = last
                .iter()
                .flat_map(|text: &Vec<u8>| letters.iter().map(move |&byte| [&text[..], &[byte]].concat()))
                .collect();
            all.extend(last.iter().map(|text| (Word::of(text).expect("letters"), text.clone())));
        }
        Language { longest, all }
    }

    fn where_true(&self, holds: impl Fn(&[u8]) -> bool) -> Words {
        self.all.iter().filter(|(_, text)| holds(text)).map(|(word, _)| *word).collect()
    }

    fn constant(&self, bytes: &[u8]) -> Words {
        Word::of(bytes).into_iter().filter(|word| word.len() <= self.longest).collect()
    }

    fn join(&self, ones: &Words, others: &Words) -> Words {
        let mut by_length: Vec<Vec<Word>> = vec![Vec::new(); self.longest + 1];
        others.iter().for_each(|&word| by_length[word.len()].push(word));
        let fits = |one: &Word| by_length[..=self.longest - one.len()].iter().flatten();
        ones.iter().flat_map(|one| fits(one).map(move |&other| one.then(other))).collect()
    }

    fn times(&self, min: u32, max: Option<u32>, mut begin: Words, again: &Words) -> Words {
        let mut found = if min == 0 { Words::from_iter([EMPTY]) } else { Words::default() };
        // More iterations than bytes add nothing.
        for count in 1..=max.unwrap_or(u32::MAX).min(min + self.longest as u32 + 1) {
            if count >= min {
                found.extend(&begin);
            }
            begin = self.join(&begin, again);
        }
        found
    }

    fn of(&self, part: &Part) -> Words {
        match part {
            Part::Constant(marker) => self.constant(&bytes(marker)),
            Part::Free { excludes } => self.where_true(|text| is_free(text, excludes)),
            Part::Until { ends, excludes } => self.where_true(|text| is_until(text, ends, excludes)),
            Part::Json { schema, .. } => {
                let schema: serde_json::Value = serde_json::from_str(schema).expect("a schema");
                self.where_true(|text| {
                    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
                    digits
                        && schema["enum"].as_array().is_none_or(|values| {
                            serde_json::from_slice(text).is_ok_and(|value: serde_json::Value| values.contains(&value))
                        })
                })
            }
            Part::Regex(regex) => {
                let regex = regex_automata::meta::Regex::new(&format!("^(?:{regex})$")).expect("a regex");
                self.where_true(|text| std::str::from_utf8(text).is_ok_and(|text| regex.is_match(text)))
            }
            Part::Sequence(parts) => {
                parts.iter().fold(Words::from_iter([EMPTY]), |before, part| self.join(&before, &self.of(part)))
            }
            Part::Choice(parts) => parts.iter().flat_map(|part| self.of(part)).collect(),
            Part::Repeat { content, min, max } => {
                let content = self.of(content);
                self.times(*min, *max, content.clone(), &content)
            }
            Part::Tag(tag) => self.of_tag(tag),
            Part::Separated(tags) => {
                let once = self.of_tags(&tags.tags);
                let again = self.join(&self.of(&tags.separator), &once);
                self.times(tags.min, tags.max, once, &again)
            }
            Part::Triggered(tags) => self.of_triggered(tags),
            Part::Arguments { schema, style: Style::Delimited(style), options } => {
                let schema: serde_json::Value = serde_json::from_str(schema).expect("a schema");
                let any_order = options.as_ref().is_some_and(|options| options.order == Order::Any);
                self.of_members(&schema, style, any_order, &[])
            }
            other => panic!("{other:?}"),
        }
    }

    fn of_tags(&self, tags: &[Tag]) -> Words {
        tags.iter().flat_map(|tag| self.of_tag(tag)).collect()
    }

    fn of_tag(&self, tag: &Tag) -> Words {
        let begin: Vec<u8> = tag.begin.iter().flat_map(bytes).collect();
        let end: Words = tag.ends.iter().flat_map(|end| self.constant(&bytes(end))).collect();
        let rest = match &tag.content {
            content if tag.ends.is_empty() => self.of(content),
            Part::Free { excludes } => self.where_true(|text| is_until(text, &tag.ends, excludes)),
            content => self.join(&self.of(content), &end),
        };
        self.join(&self.constant(&begin), &rest)
    }

    /// The members that may follow those with these indices.
    fn of_members(&self, schema: &serde_json::Value, style: &Delimiters, any_order: bool, begun: &[usize]) -> Words {
        let properties = schema["properties"].as_object().expect("properties");
        let is_required =
            |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let missing = |index: usize| !begun.contains(&index);
        let mut found = Words::default();
        if (0..).zip(properties).all(|(index, (name, _))| !missing(index) || !is_required(name)) {
            found.insert(EMPTY);
        }
        for (index, (name, value)) in properties.iter().enumerate() {
            let skips = (0..index).zip(properties).any(|(other, (name, _))| missing(other) && is_required(name));
            let in_order = begun.last().is_none_or(|&last| last < index) && !skips;
            if !missing(index) || !any_order && !in_order {
                continue;
            }
            let separator = if begun.is_empty() { "" } else { &*style.separator };
            let string = Marker::text(&*style.after_string);
            let is_string = |text: &[u8]| {
                let raw = text
                    .strip_suffix(&bytes(&string)[..])
                    .filter(|_| is_until(text, std::slice::from_ref(&string), &[]));
                raw.and_then(|raw| std::str::from_utf8(raw).ok()).is_some_and(|raw| match &value["enum"] {
                    serde_json::Value::Array(values) => values.iter().any(|value| value == raw),
                    _ => value["type"] == "string" && raw.len() <= value["maxLength"].as_u64().unwrap_or(99) as usize,
                })
            };
            let is_other = |text: &[u8]| {
                let raw = text.strip_suffix(style.after_other.as_bytes());
                raw.and_then(|raw| serde_json::from_slice::<serde_json::Value>(raw).ok()).is_some_and(|other| {
                    other.is_i64() && value["enum"].as_array().is_some_and(|values| values.contains(&other))
                })
            };
            let rest = self.of_members(schema, style, any_order, &[begun, &[index]].concat());
            for (before, values) in
                [(&style.before_string, self.where_true(is_string)), (&style.before_other, self.where_true(is_other))]
            {
                let begin = self.constant([separator, &style.member, name, before].concat().as_bytes());
                found.extend(self.join(&self.join(&begin, &values), &rest));
            }
        }
        found
    }

    fn of_triggered(&self, tags: &TriggeredTags) -> Words {
        let excludes: Vec<Marker> = tags.triggers.iter().chain(&tags.excludes).cloned().collect();
        let rest = self.where_true(|text| is_free(text, &excludes));
        // A tag and the free text before it, in which the tag's trigger is the first one.
        let one = self.of_tags(&tags.tags);
        let mut begun = Words::default();
        for trigger in &tags.triggers {
            let trigger = bytes(trigger);
            let is_first = |text: &[u8]| {
                text.strip_suffix(&trigger[..]).is_some() && is_until(text, &tags.triggers, &tags.excludes)
            };
            let length = trigger.len();
            let before: Words = self
                .all
                .iter()
                .filter(|(_, text)| is_first(text))
                .map(|(word, _)| Word(word.0 >> (3 * length)))
                .collect();
            let starts = one.iter().copied().filter(|word| word.bytes().starts_with(&trigger)).collect();
            begun.extend(self.join(&before, &starts));
        }
        match &tags.after {
            After::Free => self.join(&self.times(tags.min, tags.max, begun.clone(), &begun), &rest),
            After::Separator(separator) => {
                let again = self.join(&self.of(separator), &one);
                let mut all = self.times(tags.min.max(1), tags.max, begun, &again);
                all.extend(rest.iter().filter(|_| tags.min == 0));
                all
            }
        }
    }
}

fn bytes(marker: &Marker) -> Vec<u8> {
    match marker {
        Marker::Text(text) => text.as_bytes().to_vec(),
        Marker::Token(SPECIAL_TOKEN) => vec![SPECIAL],
        Marker::Token(other) => vec![*other as u8],
    }
}

fn occurs(marker: &Marker, output: &[u8]) -> bool {
    output.windows(bytes(marker).len()).any(|window| window == bytes(marker))
}

fn is_free(output: &[u8], excludes: &[Marker]) -> bool {
    !output.contains(&SPECIAL) && !excludes.iter().any(|marker| occurs(marker, output))
}

/// Whether a text ends with the first marker in it.
fn is_until(output: &[u8], ends: &[Marker], excludes: &[Marker]) -> bool {
    let Some(before) = output.len().checked_sub(1) else { return false };
    ends.iter().any(|marker| output.ends_with(&bytes(marker)))
        && !output[..before].contains(&SPECIAL)
        && !ends.iter().any(|marker| occurs(marker, &output[..before]))
        && !excludes.iter().any(|marker| occurs(marker, output))
}

/// Tokens that cross the borders of parts.
const PIECES: [&str; 11] = ["ab", "<a", "1b", "b<", "a<", "11", "1<", "<<", "b1", "a1b", "b<a"];

/// The trees.
fn trees() -> Vec<(&'static str, Part)> {
    let one = || Part::json(r#"{"enum":[1,11]}"#);
    let number = || Part::json(r#"{"type":"integer","minimum":0}"#);
    vec![
        ("a constant", Part::text("ab<")),
        ("free text", Part::free()),
        ("free text without some texts", Part::Free { excludes: vec![text("ab"), text("b<b")] }),
        ("text until a marker", Part::Until { ends: vec![text("a<b"), text("<<")], excludes: vec![text("bb")] }),
        ("text until a marker that overlaps itself", Part::Until { ends: vec![text("aba")], excludes: vec![] }),
        ("free text before a constant", Part::Sequence(vec![Part::free(), Part::text("ab")])),
        ("free text between constants", Part::Sequence(vec![Part::text("<"), Part::free(), Part::text("<")])),
        (
            "a choice of alike beginnings",
            Part::Choice(vec![Part::text("ab"), regex("a+"), Part::Sequence(vec![Part::text("a"), number()])]),
        ),
        ("a number and digits", Part::Sequence(vec![number(), regex("1?"), Part::text("<")])),
        ("a number and a number", Part::Sequence(vec![one(), one()])),
        ("a part twice or thrice", repeat(regex("a|b<"), 2, Some(3))),
        ("a part any number of times", repeat(Part::Choice(vec![Part::text("ab"), one()]), 0, None)),
        ("at least two", Part::Sequence(vec![repeat(Part::text("a"), 2, None), Part::text("ab")])),
        ("an empty part many times", repeat(regex("a?"), 3, Some(1_000_000))),
        ("repetitions within each other", repeat(repeat(Part::optional(Part::text("a")), 0, None), 2, Some(4))),
        (
            "a repetition within a repetition",
            repeat(Part::Sequence(vec![repeat(Part::text("a"), 1, Some(2)), Part::text("<")]), 1, Some(2)),
        ),
        ("a tag", Part::tag(tag("<a", one(), "b"))),
        (
            "a tag with free text",
            Part::Sequence(vec![Part::tag(tag("<", Part::free(), "b<")), Part::optional(Part::text("a"))]),
        ),
        (
            "tags with a separator",
            Part::separated(SeparatedTags {
                tags: vec![tag("a", one(), ""), tag("<", regex("b*"), "<")],
                separator: Part::text("b"),
                min: 1,
                max: Some(3),
            }),
        ),
        ("a trigger", triggered(&["<a"], vec![tag("<a", one(), "b")], &[], 0, None, After::Free)),
        (
            "a trigger and an exclusion",
            triggered(&["<a"], vec![tag("<ab", regex("1?"), "")], &["bb"], 0, None, After::Free),
        ),
        (
            "one tag at least",
            triggered(&["<"], vec![tag("<a", one(), ""), tag("<b", regex("a"), "<")], &[], 1, None, After::Free),
        ),
        ("one tag at most", triggered(&["<a"], vec![tag("<a", one(), "")], &[], 0, Some(1), After::Free)),
        ("exactly two tags", triggered(&["<"], vec![tag("<", one(), "")], &[], 2, Some(2), After::Free)),
        (
            "no text after a tag",
            triggered(&["<"], vec![tag("<", one(), "b")], &[], 0, Some(1), After::Separator(Part::text("a"))),
        ),
        (
            "a separator after a tag",
            triggered(&["<"], vec![tag("<", one(), "b")], &[], 1, Some(3), After::Separator(regex("a?"))),
        ),
        (
            "triggers that end each other",
            triggered(&["b<", "<"], vec![tag("<a", one(), ""), tag("b<b", regex("a"), "")], &[], 0, None, After::Free),
        ),
        ("a special token", Part::Sequence(vec![regex("a*"), Part::token(SPECIAL_TOKEN), regex("b?")])),
        (
            "text until a special token",
            Part::Until { ends: vec![Marker::Token(SPECIAL_TOKEN)], excludes: vec![text("bb")] },
        ),
        (
            "a special trigger",
            Part::triggered(TriggeredTags {
                triggers: vec![Marker::Token(SPECIAL_TOKEN)],
                tags: vec![Tag {
                    begin: vec![Marker::Token(SPECIAL_TOKEN), text("a")],
                    content: one(),
                    ends: vec![Marker::Token(SPECIAL_TOKEN), text("b")],
                }],
                excludes: vec![],
                min: 0,
                max: Some(2),
                after: After::Free,
            }),
        ),
        (
            "members with raw strings",
            arguments(r#"{"type":"string","maxLength":2}"#, r#"{"enum":[1,11]}"#, "b", ["<", "1", "1"], "<", false),
        ),
        ("members in any order", arguments(r#"{"type":"string"}"#, r#"{"enum":[1]}"#, "a", ["", "1", "1"], "<", true)),
        (
            "a member of two kinds",
            arguments(r#"{"enum":["b","b<",1,"1"]}"#, r#"{"enum":["a"]}"#, "", ["", "<", "1"], "<", false),
        ),
        (
            "raw strings whose end overlaps itself",
            arguments(r#"{"type":"string"}"#, r#"{"enum":[1]}"#, "a", ["", "<", "1"], "aba", false),
        ),
        ("the token of a text", Part::Sequence(vec![Part::token(u32::from(b'a')), Part::text("b")])),
    ]
}

/// The tokens of an output of the enumeration.
fn advance(state: &GuideState, bytes: &[u8]) -> Option<GuideState> {
    let mut state = state.clone();
    for &byte in bytes {
        let token = if byte == SPECIAL { SPECIAL_TOKEN } else { u32::from(byte) };
        state.advance(token).ok()?;
    }
    Some(state)
}

fn compile(compiler: &Compiler, name: &str, part: &Part) -> Guide {
    let guide = compiler.compile(&Source::Tags(part.clone()), &Options::default());
    guide.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A tree, its guide, and by text the least bytes that complete an output that begins with it.
struct Enumerated {
    name: &'static str,
    guide: Guide,
    special: bool,
    longest: usize,
    costs: HashMap<Word, usize>,
}

impl Enumerated {
    fn new(compiler: &Compiler, name: &'static str, part: &Part) -> Enumerated {
        let guide = compile(compiler, name, part);
        let special = format!("{part:?}").contains("Token(257)");
        let longest = if special { LONGEST - 1 } else { LONGEST };
        let accepted = Language::new(longest, special).of(part);
        assert!(!accepted.is_empty(), "{name}");
        let mut costs: HashMap<Word, usize> = HashMap::default();
        for word in accepted {
            for rest in 0..=word.len() {
                let cost = costs.entry(Word(word.0 >> (3 * rest))).or_insert(rest);
                *cost = rest.min(*cost);
            }
        }
        Enumerated { name, guide, special, longest, costs }
    }

    /// The prefixes up to a length.
    fn prefixes(&self, longest: usize) -> Vec<Vec<u8>> {
        Language::new(longest, self.special).all.into_iter().map(|(_, text)| text).collect()
    }

    fn cost(&self, text: &[u8]) -> Option<usize> {
        self.costs.get(&Word::of(text).expect("letters")).copied()
    }

    /// Whether the state after a text is the one that is expected. A completion beyond the longest text is not known.
    fn check(&self, text: &[u8], state: Option<&GuideState>) {
        let (name, shown) = (self.name, String::from_utf8_lossy(text));
        let known = state.filter(|state| state.min_tokens_left() as usize + text.len() <= self.longest);
        assert_eq!(known.map(|state| state.min_tokens_left() as usize), self.cost(text), "{name}: {shown}");
        if let Some(state) = state {
            assert_eq!(state.may_end(), self.cost(text) == Some(0), "{name}: {shown}");
        }
    }
}

/// The longest texts that are enumerated.
const LONGEST: usize = 8;

#[test]
fn masks_are_the_tokens_along_which_an_enumerated_text_goes_on() {
    let plain = compiler(&[]);
    let compiler = compiler(&PIECES);
    for (name, part) in trees() {
        let known = Enumerated::new(&plain, name, &part);
        let guide = compile(&compiler, name, &part);
        for prefix in known.prefixes(3) {
            let by_bytes = advance(&known.guide.start(), &prefix);
            known.check(&prefix, by_bytes.as_ref());
            let (Some(by_bytes), Some(state)) = (by_bytes, advance(&guide.start(), &prefix)) else { continue };
            let shown = String::from_utf8_lossy(&prefix);
            let mask = state.mask(None);
            let tokens = ALPHABET.iter().map(|&byte| (u32::from(byte), vec![byte]));
            let tokens = tokens.chain((258..).zip(&PIECES).map(|(id, piece)| (id, piece.as_bytes().to_vec())));
            for (id, bytes) in tokens.chain(known.special.then(|| (SPECIAL_TOKEN, vec![SPECIAL]))) {
                // The state byte by byte is compared with the texts, the mask with that state.
                let next = advance(&by_bytes, &bytes);
                known.check(&[&prefix[..], &bytes].concat(), next.as_ref());
                assert_eq!(mask.contains(id), next.is_some(), "{name}: {shown} + {}", String::from_utf8_lossy(&bytes));
                assert_eq!(state.clone().advance(id).is_ok(), next.is_some(), "{name}: {shown} + {id}");
            }
            assert_eq!(mask.contains(256), state.may_end(), "{name}: {shown}");
        }
    }
}

#[test]
fn a_budget_allows_exactly_the_bytes_after_which_the_rest_suffices() {
    let compiler = compiler(&[]);
    for (name, part) in trees() {
        let known = Enumerated::new(&compiler, name, &part);
        for prefix in known.prefixes(2) {
            let (Some(state), Some(cost)) = (advance(&known.guide.start(), &prefix), known.cost(&prefix)) else {
                continue;
            };
            for left in cost.max(1)..=(cost + 2).min(LONGEST - 4) {
                let mask = state.mask(Some(left as u32));
                for &byte in ALPHABET.iter().chain(known.special.then_some(&SPECIAL)) {
                    let expected = known.cost(&[&prefix[..], &[byte]].concat()).is_some_and(|cost| cost < left);
                    let id = if byte == SPECIAL { SPECIAL_TOKEN } else { u32::from(byte) };
                    assert_eq!(mask.contains(id), expected, "{name}: {prefix:?} + {byte}, {left} left");
                }
            }
        }
    }
}

#[test]
fn random_walks_end_whole_within_their_budget() {
    let compiler = compiler(&PIECES);
    let len = compiler.vocabulary().len();
    let mut random = Random(7);
    let mut ended = 0;
    for (name, part) in trees() {
        let guide = compile(&compiler, name, &part);
        let language = Enumerated::new(&compiler, name, &part);
        for _ in 0..60 {
            let budget = guide.min_tokens() + random.below(6) as u32;
            let (mut state, mut output) = (guide.start(), Vec::new());
            for left in (1..=budget).rev() {
                let allowed = state.mask(Some(left)).tokens(len);
                assert!(!allowed.is_empty(), "{name}: a dead end after {output:?}");
                // Letters of the alphabet, which meet triggers.
                let letters = allowed.iter().copied().filter(|&id| id > 255 || ALPHABET.contains(&(id as u8)));
                let letters: Vec<u32> = letters.collect();
                let from = if letters.is_empty() { &allowed } else { &letters };
                let token = from[random.below(from.len())];
                if token == 256 {
                    break;
                }
                output.extend_from_slice(compiler.vocabulary().bytes(token).unwrap_or(&[SPECIAL]));
                state.advance(token).expect("an allowed token");
            }
            let shown = String::from_utf8_lossy(&output);
            assert!(state.may_end(), "{name}: {shown}");
            let word = Word::of(&output).filter(|word| word.len() <= language.longest);
            assert!(word.is_none_or(|word| language.costs.get(&word) == Some(&0)), "{name}: {shown}");
            ended += usize::from(word.is_some());
        }
    }
    assert!(ended > 30 * trees().len(), "{ended}");
}

/// Whether the text is a whole output, byte by byte.
fn whole(guide: &Guide, output: &str) -> bool {
    support::text(&guide.start(), output).is_some_and(|state| state.may_end())
}

#[test]
fn members_are_written_in_the_styles_of_model_families() {
    let schema = r#"{
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 2, "pattern": "^[^!]*$"},
            "unit": {"enum": ["c", "f", null]},
            "days": {"type": "integer", "minimum": 1},
            "deep": {"type": "object", "properties": {"x": {"type": "boolean"}}, "additionalProperties": false}
        },
        "required": ["city"]
    }"#;
    let rows: &[(Delimiters, &[&str], &[&str])] = &[
        (
            Delimiters::QWEN_XML,
            &[
                "<parameter=city>\nBerlin\n</parameter>\n",
                "<parameter=city>\n\"a\"\n<b>\n</para\n</parameter>\n<parameter=unit>\nc\n</parameter>\n",
                "<parameter=city>\nab\n</parameter>\n<parameter=unit>\nnull\n</parameter>\n<parameter=days>\n14\n</parameter>\n",
                "<parameter=city>\nab\n</parameter>\n<parameter=deep>\n{\"x\": true}\n</parameter>\n",
            ],
            &[
                "",
                "<parameter=city>\na\n</parameter>\n",
                "<parameter=city>\na!\n</parameter>\n",
                "<parameter=city>\nab\n</parameter>\n<parameter=unit>\nk\n</parameter>\n",
                "<parameter=city>\nab\n</parameter>\n<parameter=days>\n0\n</parameter>\n",
                "<parameter=city>\nab\n</parameter>\n<parameter=city>\nab\n</parameter>\n",
                "<parameter=city>\nab\n</parameter>\n\n</parameter>\n",
            ],
        ),
        (
            Delimiters::GLM_XML,
            &[
                "<arg_key>city</arg_key>\n<arg_value>New York\n</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n",
            ],
            &["<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n"],
        ),
        (
            Delimiters::DEEPSEEK_XML,
            &[
                "<｜DSML｜parameter name=\"city\" string=\"true\">ab</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" string=\"false\">3</｜DSML｜parameter>\n",
            ],
            &["<｜DSML｜parameter name=\"city\" string=\"false\">ab</｜DSML｜parameter>\n"],
        ),
        (
            Delimiters::MINIMAX_XML,
            &["<parameter name=\"city\">a\"b</parameter>\n<parameter name=\"unit\">f</parameter>\n"],
            &["<parameter name=\"unit\">f</parameter>\n"],
        ),
    ];
    let compiler = compiler(&[]);
    for (style, valid, invalid) in rows {
        let part = Part::Arguments { schema: schema.into(), style: Style::Delimited(style.clone()), options: None };
        let guide = compile(&compiler, &style.member, &part);
        valid.iter().for_each(|output| assert!(whole(&guide, output), "{output}"));
        invalid.iter().for_each(|output| assert!(!whole(&guide, output), "{output}"));
    }
}

#[test]
fn members_are_written_as_arguments_of_python() {
    let schema = r#"{
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "loud": {"type": ["boolean", "null"]},
            "tags": {"type": "array", "items": {"enum": ["a", 1]}}
        },
        "required": ["city", "loud"]
    }"#;
    let style = Style::Delimited(Delimiters::PYTHON);
    let compiler = compiler(&[]);
    let guide =
        compile(&compiler, "python", &Part::Arguments { schema: schema.into(), style: style.clone(), options: None });
    for (output, valid) in [
        (r#"city="a\"b", loud=True"#, true),
        (r#"city="", loud=None, tags=["a", 1]"#, true),
        (r#"city="", loud=true"#, false),
        (r#"city="""#, false),
        (r#"city="", loud=False,"#, false),
        (r#"loud=True, city="a""#, false),
    ] {
        assert_eq!(whole(&guide, output), valid, "{output}");
    }
    let nested = r#"{"type":"object","properties":{"a":{"type":"array","items":{"type":"boolean"}}}}"#;
    let part = Part::Arguments { schema: nested.into(), style, options: None };
    let error = compiler.compile(&Source::Tags(part), &Options::default()).expect_err("nested words").to_string();
    assert!(error.contains("\"a\" may have true, false or null inside"), "{error}");
}

#[test]
fn what_is_refused_is_named_by_its_place_in_the_tree() {
    let compiler = compiler(&[]);
    let one = || Part::json("true");
    let rows = [
        (Part::Sequence(vec![one(), Part::json("{")]), "tags at /elements/1: schema text at byte 1"),
        (Part::tag(tag("<a", Part::json(r#"{"type":"strin"}"#), "")), "tags at /content: schema at /type"),
        (Part::Regex("(a".into()), "tags: regex at character"),
        (Part::text(""), "tags: a marker has at least one character"),
        (Part::token(999), "tags: token 999 is not in the vocabulary"),
        (Part::token(256), "tags: token: token 256 ends the output"),
        (Part::Choice(vec![]), "tags: a choice has at least one part"),
        (repeat(one(), 3, Some(2)), "tags: the most is less than the fewest"),
        (Part::json("false"), "nothing can match"),
        (
            triggered(&["<"], vec![tag("a", one(), "")], &[], 0, None, After::Free),
            "tags at /tags/0: the tag's beginning begins with",
        ),
        (
            triggered(&["<", "a"], vec![tag("<", one(), "")], &[], 0, None, After::Free),
            "tags at /triggers/1: no tag begins with",
        ),
        (
            triggered(&["<ab"], vec![tag("<ab", one(), "")], &["ab"], 0, None, After::Free),
            "tags: \"<ab\" can never be written",
        ),
        ((0..40).fold(one(), |part, _| Part::Sequence(vec![part])), "is not refused"),
        ((0..70).fold(one(), |part, _| Part::Sequence(vec![part])), "levels of parts (limit 64)"),
        (
            (0..9).fold(one(), |part, _| repeat(part, 2, Some(3))),
            "repetitions and arguments within each other (limit 8)",
        ),
        (
            Part::Sequence(vec![Part::Arguments {
                schema: r#"{"anyOf":[{"type":"object","required":["a"]},{"type":"object","required":["b"]}]}"#.into(),
                style: Style::Delimited(Delimiters::QWEN_XML),
                options: None,
            }]),
            "tags at /elements/0: style: members between delimiters need a schema of one plain object",
        ),
    ];
    for (part, says) in rows {
        let result = compiler.compile(&Source::Tags(part), &Options::default());
        let message = result.err().map_or("is not refused".to_owned(), |error| error.to_string());
        assert!(message.contains(says), "{message}\n{says}");
    }
}

#[test]
fn a_call_begins_only_if_the_budget_holds_the_cheapest_one() {
    let call = tag("<tool_call>", Part::json(r#"{"enum":["long enough",1]}"#), "</tool_call>");
    let part = triggered(&["<tool_call>"], vec![call], &[], 0, None, After::Free);
    let compiler = compiler(&["<tool_call>", "<tool_call>1", "</tool_call>", "<tool"]);
    let guide = compile(&compiler, "a call", &part);
    let [trigger, with_one, end, begun] = [258, 259, 260, 261];
    let allowed = |state: &GuideState, left| {
        let mask = state.mask(Some(left));
        [trigger, with_one, begun].map(|token| mask.contains(token))
    };
    let state = guide.start();
    // The rest of a call has 13 bytes. A trigger that is not complete costs nothing.
    assert_eq!((allowed(&state, 12), allowed(&state, 14)), ([false, false, true], [true, true, true]));
    assert!(state.may_end() && state.mask(Some(12)).contains(256));
    let mut state = state;
    state.advance(trigger).expect("a trigger");
    assert_eq!((state.min_tokens_left(), state.may_end()), (2, false));
    assert_eq!(state.mask(Some(2)).tokens(262), [u32::from(b'1')]);
    state.advance(u32::from(b'1')).expect("a value");
    assert_eq!(state.forced_text(99), "</tool_call>");
    state.advance(end).expect("an end");
    assert!(state.may_end() && !state.must_end());
}

#[test]
fn trees_of_random_bytes_are_refused_or_have_masks_of_what_is_accepted_and_no_dead_end() {
    let mut random = Random(11);
    let len = fuzz::compiler().vocabulary().len();
    let mut compiled = 0;
    for _ in 0..600 {
        let bytes: Vec<u8> = (0..40).map(|_| random.below(256) as u8).collect();
        let source = Source::Tags(fuzz::tree(&mut bytes.iter().copied()));
        fuzz::compile_and_walk(&source, &bytes);
        let Ok(guide) = fuzz::compiler().compile(&source, &Options::default()) else { continue };
        compiled += 1;
        let mut state = guide.start();
        for _ in 0..4 {
            let mask = state.mask(None);
            for token in 0..len as u32 {
                assert_eq!(mask.contains(token), state.clone().advance(token).is_ok(), "{source:?}: {token}");
            }
            let allowed: Vec<u32> = mask.tokens(len).into_iter().filter(|&token| token != 256).collect();
            let Some(&token) = allowed.get(random.below(allowed.len())) else { break };
            state.advance(token).expect("an allowed token");
        }
    }
    assert!(compiled > 200, "{compiled}");
}

/// The bytes of each token, by its id.
type Tokens = Vec<Option<Vec<u8>>>;

/// The tokens of a byte-level tokenizer, with those added tokens that are text, and the id of an added token.
fn tokenizer(directory: &std::path::Path) -> (Tokens, impl Fn(&str) -> Option<u32>) {
    let file = directory.join("tokenizer.json");
    let mut tokens = mask_speed::read_tokens(file.to_str().expect("a path")).expect("a tokenizer");
    let read: serde_json::Value = serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON");
    let added = read["added_tokens"].as_array().cloned().unwrap_or_default();
    for token in &added {
        let (id, text) = (token["id"].as_u64().expect("an id") as usize, token["content"].as_str().expect("a text"));
        tokens.resize(tokens.len().max(id + 1), None);
        tokens[id] = (token["special"] == false).then(|| text.as_bytes().to_vec());
    }
    let id = move |text: &str| Some(added.iter().find(|token| token["content"] == text)?["id"].as_u64()? as u32);
    (tokens, id)
}

#[test]
fn calls_are_followed_with_the_tokens_of_real_models() {
    let Some(data) = std::env::var_os("JIG_TEST_DATA") else {
        println!("skipped: JIG_TEST_DATA names no directory with tokenizers");
        return;
    };
    let mut followed = 0;
    for name in ["qwen3", "smollm2"] {
        let directory = std::path::Path::new(&data).join("tokenizers").join(name);
        let (tokens, id) = tokenizer(&directory);
        let begin_of_turn = id("<|im_start|>").expect("a special token");
        let vocabulary =
            Arc::new(Vocabulary::new(tokens.clone(), vec![id("<|im_end|>").expect("an end")]).expect("a vocabulary"));
        let compiler = Compiler::new(vocabulary, Limits::default());
        let call = |name: &str, schema: &str| {
            let begin = format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": ");
            Tag { begin: vec![text(&begin)], content: Part::json(schema), ends: vec![text("}\n</tool_call>")] }
        };
        let clock = r#"{"type":"object","properties":{"zone":{"type":"string"},"at":{"type":"integer"}},"additionalProperties":false}"#;
        let tags = vec![call("clock", clock), call("clear", r#"{"type":"object","additionalProperties":false}"#)];
        let part = Part::Sequence(vec![
            triggered(&["<tool_call>"], tags, &[], 0, None, After::Free),
            Part::optional(Part::Sequence(vec![Part::token(begin_of_turn), Part::text("tool")])),
        ]);
        let guide = compile(&compiler, name, &part);
        let output = "Is <tool a <b>\u{1F550}</b>?\n<tool_call>\n{\"name\": \"clock\", \"arguments\": {\"zone\": \"a}\\n</tool_call>\", \"at\": 12}}\n</tool_call>\nDone.";
        // The longest token at each place, or without the tokens of whole markers: spelled out.
        for spelled in [false, true] {
            let (mut state, mut at, mut random) = (guide.start(), 0, Random(3));
            while at < output.len() {
                let rest = &output.as_bytes()[at..];
                let fits = |token: &&(u32, &Vec<u8>)| {
                    rest.starts_with(token.1) && !(spelled && token.1.ends_with(b"tool_call>"))
                };
                let all: Vec<(u32, &Vec<u8>)> =
                    (0..).zip(&tokens).filter_map(|(id, bytes)| Some((id, bytes.as_ref()?))).collect();
                let (token, bytes) = all.iter().filter(fits).max_by_key(|token| token.1.len()).expect("a token");
                let mask = state.mask(None);
                assert!(mask.contains(*token), "{name}: {at}");
                for _ in 0..300 {
                    let token = random.below(tokens.len()) as u32;
                    assert_eq!(
                        mask.contains(token),
                        state.clone().advance(token).is_ok(),
                        "{name}: {at}, token {token}"
                    );
                }
                let short = state.mask(Some(state.min_tokens_left().max(1)));
                assert!(short.count() > 0, "{name}: {at}");
                state.advance(*token).expect("an allowed token");
                at += bytes.len();
                followed += 1;
            }
            assert!(state.may_end() && state.mask(None).contains(begin_of_turn));
            state.advance(begin_of_turn).expect("a special token");
            assert_eq!((state.forced_text(9), state.may_end()), ("tool".to_owned(), false));
        }
    }
    assert!(followed > 100, "{followed}");
}
