//! The paths in a source text that may name an item of another file of the crate.

use crate::code::is_name;

/// A path without braces: `use super::{a, b::c as d}` has two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// For example `super`, `b`, `c`. The last segment of a glob is `*`.
    pub(crate) segments: Vec<String>,
    /// The name that a `use` gives it in this file.
    pub(crate) alias: Option<String>,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// Finds the paths in `code` that begin with `crate`, `self`, `super` or one of `children`, the modules that the file
/// declares. `$crate` in a macro is not an import of the file that defines the macro.
pub(crate) fn paths(code: &str, children: &[String]) -> Vec<Written> {
    let mut reader = Reader { code, at: 0, found: Vec::new() };
    let mut in_use = false;
    let mut before = "";
    while let Some(token) = reader.next() {
        let starts = ["crate", "self", "super"].contains(&token) || children.iter().any(|child| child == token);
        match token {
            "use" => in_use = true,
            ";" => in_use = false,
            _ if starts
                && !["::", ".", "$", "mod", "fn"].contains(&before)
                && (in_use || reader.peek() == Some("::")) =>
            {
                reader.tree(vec![token.to_owned()], in_use);
            }
            _ => {}
        }
        before = token;
    }
    reader.found
}

struct Reader<'a> {
    code: &'a str,
    at: usize,
    found: Vec<Written>,
}

impl<'a> Reader<'a> {
    /// The next name, `::`, or any other single character.
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.code[self.at..].trim_start();
        let start = self.code.len() - rest.len();
        let name = rest.bytes().take_while(|&byte| is_name(byte)).count();
        let length = match name {
            0 if rest.starts_with("::") => 2,
            0 => rest.chars().next()?.len_utf8(),
            _ => name,
        };
        self.at = start + length;
        Some(&rest[..length])
    }

    fn peek(&mut self) -> Option<&'a str> {
        let at = self.at;
        let token = self.next();
        self.at = at;
        token
    }

    /// Reads the text after `prefix`: the rest of a path or of a tree of paths.
    fn tree(&mut self, mut prefix: Vec<String>, in_use: bool) {
        let line = 1 + self.code[..self.at].matches('\n').count();
        while self.peek() == Some("::") {
            self.next();
            match self.peek() {
                Some("{") if in_use => {
                    self.next();
                    return self.group(&prefix);
                }
                Some(token) if token == "*" || token.bytes().all(is_name) => {
                    self.next();
                    prefix.push(token.to_owned());
                }
                // Generic arguments, or text that is not a path.
                _ => break,
            }
        }
        let mut alias = in_use.then(|| prefix[prefix.len() - 1].clone());
        if prefix.len() > 1 && prefix.last().is_some_and(|last| last == "self") {
            prefix.pop();
            alias = Some(prefix[prefix.len() - 1].clone());
        }
        if in_use && self.peek() == Some("as") {
            self.next();
            alias = self.next().map(str::to_owned);
        }
        self.found.push(Written { segments: prefix, alias, line });
    }

    fn group(&mut self, prefix: &[String]) {
        loop {
            match self.next() {
                Some("}") | None => return,
                Some(",") => {}
                Some(token) => self.tree([prefix, &[token.to_owned()]].concat(), true),
            }
        }
    }
}

#[cfg(test)]
fn written(code: &str) -> Vec<(String, Option<String>, usize)> {
    let found = paths(code, &["guard".to_owned()]);
    found.into_iter().map(|path| (path.segments.join("::"), path.alias, path.line)).collect()
}

#[test]
fn use_trees_and_paths_in_code_are_found_with_their_lines() {
    let code = "use std::fmt;\nuse super::{a, self as up, b::{self, C as D,\n    E}};\npub use guard::*;\nmod guard;\n\
                fn f(&self) { crate::g::h(self.x); guard::i::<crate::J>(); $crate::k(); let guard = super::L; }\n";
    let named = |path: &str, alias: &str, line| (path.to_owned(), Some(alias.to_owned()), line);
    let used = |path: &str| (path.to_owned(), None, 6);
    let expected = [
        named("super::a", "a", 2),
        named("super", "up", 2),
        named("super::b", "b", 2),
        named("super::b::C", "D", 2),
        named("super::b::E", "E", 3),
        named("guard::*", "*", 4),
        used("crate::g::h"),
        used("guard::i"),
        used("crate::J"),
        used("super::L"),
    ];
    assert_eq!(written(code), expected);
}
