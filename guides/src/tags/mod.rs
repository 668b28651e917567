//! A tree of parts to an automaton: free text around guided text.
//!
//! What is not JSON is regular, and a tree of parts has no recursion. So the tree becomes a small nondeterministic automaton, a [`net`],
//! whose transitions read a whole text or a whole JSON value. A state is the set of places in the net that the output may have come to.
//! In nearly all trees that is one place, or two where a part may end.
//!
//! ```text
//!  Part ── build ──▶ Net: segments and scopes ── state: step by byte ──▶ places ── automaton ──▶ mask
//!            │
//!            ├─ triggers           free text up to a trigger, and the tags behind it
//!            └─ ContentCompiler    JSON machines and regexes, from the compiler and its caches
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | this one | the machine |
//! | [`registers`] | how far repetitions have come |
//! | [`net`] | segments, scopes, and their costs |
//! | [`build`], [`triggers`] | a tree of parts to a net |
//! | [`arguments`], [`values`] | the members of an object between delimiters |
//! | [`state`] | the places that an output may have come to |
//! | [`automaton`] | the machine as an automaton; masks |
//! | [`tokens`] | the tokens that cross the end of a JSON value |
//!
//! # Invariants
//!
//! - Every place can finish: the automata are trimmed, and contents that nothing satisfies are refused.
//! - The cost of a place is exact: the least bytes of an output from there. So the cost of a state, the least of its places, falls along some
//!   byte.
//! - Special tokens are bytes that no text has ([`marks`](crate::automaton::marks)). No token spells them, so the trie of tokens is never
//!   walked along them.

mod arguments;
mod automaton;
pub(crate) mod build;
mod net;
mod registers;
mod state;
pub(crate) mod tokens;
mod triggers;
mod values;

use crate::automaton::cost::Cost;
use crate::error::{CompileError, Place, too_big};
use crate::options::Options;
use crate::source::part::Part;
use crate::tags::build::{ContentCompiler, NetBuilder};
use crate::tags::net::{Net, Segment, SegmentId};
use crate::tags::tokens::TagTokens;
use crate::vocabulary::Vocabulary;
use std::sync::Arc;

/// The most parts that can begin at one place. Each of them is followed by itself.
const MOST_BEGINNINGS: usize = 200;

/// The automaton of a tree of parts.
#[derive(Debug)]
pub(crate) struct TagMachine {
    net: Net,
    first: SegmentId,
    tokens: Arc<TagTokens>,
}

/// The automaton of a tree of parts. The options are those of contents without options of their own.
pub(crate) fn compile(
    part: &Part,
    options: &Options,
    contents: &dyn ContentCompiler,
    vocabulary: &Vocabulary,
    tokens: Arc<TagTokens>,
) -> Result<TagMachine, CompileError> {
    let mut builder = NetBuilder::new(contents, vocabulary, options)?;
    let whole = builder.add(Segment::Whole, Cost::ZERO)?;
    let first = builder.part(part, whole)?;
    if builder.net.most_alternatives(MOST_BEGINNINGS) > MOST_BEGINNINGS {
        return Err(too_big(
            Place::Part(String::new(), None),
            "parts that can begin at one place",
            MOST_BEGINNINGS,
            "let constant texts tell them apart, such as the beginnings of tags",
        ));
    }
    Ok(TagMachine { net: builder.net, first, tokens })
}
