//! A Lark grammar as it is written, before names are resolved and templates are expanded.

use crate::grammar::rules::{Body, Location};
use foldhash::HashMap;

/// Index of a name.
pub(super) type NameId = usize;

/// What a grammar has.
#[derive(Default)]
pub(super) struct LarkGrammar<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) ids: HashMap<&'a str, NameId>,
    pub(super) definitions: Vec<LarkDefinition<'a>>,
    /// The definition of each name that has one.
    pub(super) by_name: HashMap<NameId, usize>,
    pub(super) ignored: Vec<LarkNode<'a>>,
    /// The first `%ignore`.
    pub(super) ignored_at: Location,
    pub(super) options: LarkOptions,
}

/// The options of llguidance that change the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LarkOptions {
    /// Whether ignored text may stand before the first terminal.
    pub(super) initial_skip: bool,
    /// Whether one text at most is ignored between two terminals.
    pub(super) ignore_once: bool,
}

impl Default for LarkOptions {
    fn default() -> LarkOptions {
        LarkOptions { initial_skip: true, ignore_once: false }
    }
}

/// A rule, terminal or template.
pub(super) struct LarkDefinition<'a> {
    pub(super) name: NameId,
    pub(super) at: Location,
    pub(super) is_terminal: bool,
    /// The parameters of a template.
    pub(super) parameters: Vec<NameId>,
    pub(super) body: LarkNode<'a>,
    /// The name of an imported terminal in its library.
    pub(super) imported: Option<&'a str>,
}

/// The right side of a definition, or a part of it.
pub(super) enum LarkNode<'a> {
    /// A string without flags. Its expression takes more memory, and is made only for the rules.
    Text(String),
    /// What else has no names in it: a range, a regex, a token, a JSON value.
    Lexeme(Body),
    /// Any run of these texts that stand side by side.
    Substring(Vec<String>, Location),
    /// A rule, a terminal, or a parameter of a template.
    Name(NameId, Location),
    /// A template with arguments, each with its source text.
    Use(NameId, Vec<(&'a str, LarkNode<'a>)>, Location),
    Sequence(Vec<LarkNode<'a>>),
    Choice(Vec<LarkNode<'a>>),
    Repeat(u32, Option<u32>, Box<LarkNode<'a>>),
}

impl<'a> LarkGrammar<'a> {
    /// The index of a name.
    pub(super) fn id(&mut self, name: &'a str) -> NameId {
        let next = self.names.len();
        let id = *self.ids.entry(name).or_insert(next);
        if id == next {
            self.names.push(name);
        }
        id
    }

    pub(super) fn definition(&self, name: NameId) -> Option<&LarkDefinition<'a>> {
        self.by_name.get(&name).map(|&index| &self.definitions[index])
    }
}

/// Whether a name is that of a terminal. `None` if it is neither that of a terminal nor that of a rule.
pub(super) fn is_terminal(name: &str) -> Option<bool> {
    let first = name.chars().find(|&c| c != '_')?;
    let has = |is: fn(&char) -> bool| name.chars().any(|c| is(&c));
    match first {
        'a'..='z' if !has(char::is_ascii_uppercase) => Some(false),
        'A'..='Z' if !has(char::is_ascii_lowercase) => Some(true),
        _ => None,
    }
}
