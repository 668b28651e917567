//! The grammars of a folder with their documents, and trees of parts in which they and other parts stand.

use std::path::Path;

use jig_guides::{
    After, Delimiters, Guide, Marker, Part, SeparatedTags, Source, Style, Tag, TriggeredTags, Vocabulary,
};

use crate::Outcome;

const SCHEMA: &str = r#"{"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}, "days": {"type": "integer"},
    "units": {"enum": ["C", "F"]}}, "required": ["city", "units"], "additionalProperties": false}"#;

const MEMBERS: &str = r#"{"city": "Rome", "days": 3, "units": "C"}"#;

/// A source with texts of its language.
pub(crate) struct Sample {
    pub(crate) id: String,
    pub(crate) source: Source,
    pub(crate) documents: Vec<String>,
}

/// A grammar in a file.
pub(crate) struct GrammarFile {
    /// The file's name.
    pub(crate) name: String,
    pub(crate) text: String,
    /// A text of its language.
    pub(crate) document: String,
    /// The same language in Lark without templates and priorities.
    pub(crate) plain: String,
}

/// The grammars of a folder, `NAME.lark` and `NAME.gbnf`, each with `documents/NAME.txt` and `plain/NAME.lark`.
pub(crate) fn grammars(folder: &Path) -> Outcome<Vec<GrammarFile>> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Outcome<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "lark" || extension == "gbnf"));
    paths.sort();
    if paths.is_empty() {
        return Err(format!("{} has no .lark and no .gbnf file", folder.display()).into());
    }
    let file = |path: &Path| -> Outcome<GrammarFile> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(GrammarFile {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            text: read(path)?,
            document: read(&folder.join(format!("documents/{stem}.txt")))?,
            plain: read(&folder.join(format!("plain/{stem}.lark")))?,
        })
    };
    paths.iter().map(|path| file(path)).collect()
}

/// The grammars, and the trees of parts.
pub(crate) fn samples(folder: &Path) -> Outcome<Vec<Sample>> {
    let grammars = grammars(folder)?;
    let mut samples = trees(&grammars);
    samples.extend(grammars.into_iter().map(|grammar| Sample {
        id: grammar.name,
        source: Source::Grammar(grammar.text),
        documents: vec![grammar.document],
    }));
    Ok(samples)
}

fn tag(begin: &str, content: Part, end: &str) -> Tag {
    Tag { begin: vec![Marker::text(begin)], content, ends: vec![Marker::text(end)] }
}

fn trees(grammars: &[GrammarFile]) -> Vec<Sample> {
    let block = |grammar: &GrammarFile| {
        tag(&format!("<{}>", grammar.name), Part::Grammar(grammar.text.clone()), &format!("</{}>", grammar.name))
    };
    let written = |grammar: &GrammarFile| format!("<{0}>{1}</{0}>", grammar.name, grammar.document);
    let call = |begin: &str, content: Part, end: &str| TriggeredTags {
        triggers: vec![Marker::text(begin)],
        tags: vec![tag(begin, content, end)],
        excludes: Vec::new(),
        min: 0,
        max: Some(2),
        after: After::Free,
    };
    let text = |text: &str| Marker::text(text);
    let arguments = |style| Part::Arguments { schema: SCHEMA.to_owned(), style, options: None };
    let hermes = "<tool_call>\n{\"name\": \"weather\", \"arguments\": ";
    let choice = Part::Choice(grammars.iter().map(|grammar| Part::Grammar(grammar.text.clone())).collect());
    let thought = Part::Until { ends: vec![text("</think>")], excludes: vec![text("<tool_call>")] };
    let blocks = TriggeredTags {
        triggers: vec![text("<")],
        tags: grammars.iter().map(block).collect(),
        excludes: Vec::new(),
        min: 1,
        max: None,
        after: After::Free,
    };
    let all: String = grammars.iter().map(|grammar| written(grammar) + " and ").collect();
    let tags = vec![
        tag("a", Part::json(SCHEMA), "z"),
        tag("ab", Part::Regex("[a-z]{1,5}".to_owned()), "z"),
        tag("abc", choice.clone(), "z"),
    ];
    let separated = SeparatedTags { tags, separator: Part::Constant(text(", ")), min: 1, max: Some(4) };
    let parts = vec![
        ("blocks of grammars in text", Part::triggered(blocks), format!("Text, then {all}more text.")),
        ("a call as JSON", Part::triggered(call(hermes, Part::json(SCHEMA), "}\n</tool_call>")), {
            format!("Let me see.\n{hermes}{MEMBERS}}}\n</tool_call>\nDone.")
        }),
        (
            "a call with members in XML",
            Part::triggered(call("<function=w>\n", arguments(Style::Delimited(Delimiters::QWEN_XML)), "</function>")),
            "So: <function=w>\n<parameter=city>\nRome\n</parameter>\n<parameter=units>\nC\n</parameter>\n</function>"
                .to_owned(),
        ),
        ("tags that begin alike", Part::separated(separated), format!("abwordz, a{MEMBERS}z")),
        (
            "a thought and then a grammar",
            Part::Sequence(vec![thought, choice]),
            format!("First </thin I think.</think>{}", grammars[0].document),
        ),
        (
            "constants and regexes, repeated",
            Part::Repeat {
                content: Box::new(Part::Sequence(vec![
                    Part::Constant(text("- ")),
                    Part::Regex("[a-z ]+".to_owned()),
                    Part::Constant(text("\n")),
                ])),
                min: 2,
                max: Some(9),
            },
            "- one\n- and two\n- three\n".to_owned(),
        ),
    ];
    let sample = |(id, part, document): (&str, Part, String)| Sample {
        id: id.to_owned(),
        source: Source::Tags(part),
        documents: vec![document],
    };
    parts.into_iter().map(sample).collect()
}

/// Whether a text is a whole output when each of its bytes is a token of its own. `None` if a byte has no such token.
pub(crate) fn is_whole(guide: &Guide, text: &[u8]) -> Option<bool> {
    let byte_tokens = byte_tokens(guide.vocabulary());
    let mut state = guide.start();
    for &byte in text {
        if state.advance(byte_tokens[usize::from(byte)]?).is_err() {
            return Some(false);
        }
    }
    Some(state.may_end())
}

fn byte_tokens(vocabulary: &Vocabulary) -> Vec<Option<u32>> {
    let mut tokens = vec![None; 256];
    for token in 0..vocabulary.len() as u32 {
        if let Some(&[byte]) = vocabulary.bytes(token) {
            tokens[usize::from(byte)] = Some(token);
        }
    }
    tokens
}
