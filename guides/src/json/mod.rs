//! A JSON Schema to an automaton over the bytes of JSON text.
//!
//! JSON is a visibly nested language (Alur, Madhusudan 2004): its brackets show the nesting, so all alternatives of a schema agree on
//! which containers are open, and a set of alternatives per open container is a state of a deterministic pushdown automaton. The
//! sets are worked out when an output reaches them; everything that does not depend on an output is worked out before.
//!
//! ```text
//!  schema, as text
//!    │  text::value::parse        keeps the spelling of numbers and the order of keys
//!    ▼
//!  Value
//!    │  schema::keywords::read    one node for each condition; $ref followed, drafts told apart
//!    ▼
//!  Graph ── schema::hash_cons::share: equal nodes become one
//!    │  analysis::analyse         each conjunction of nodes to its alternatives (a tableau), then least fixpoints
//!    ▼
//!  Shapes                         schemas, objects, arrays, with the least bytes of each
//!    │  JsonMachine::new
//!    ▼
//!  JsonMachine                    step and cost by byte: the pushdown automaton
//!    │  masks: add_allowed        the tokens along whose bytes it can go on
//!    ▼
//!  mask
//! ```
//!
//! | folder | what it holds |
//! |---|---|
//! | [`masks`] | the tokens that are allowed in a state, a file for each kind of place in the text |
//! | [`machine`] | the pushdown automaton: states, keys, unique entries, costs of completion |
//! | [`analysis`] | conjunctions of conditions to alternatives; the passes over all of them |
//! | [`schema`] | keywords, references and drafts: a schema to a graph of conditions |
//! | [`shape`] | what analysis leaves: schemas, objects and arrays, and what it costs to complete them |
//! | [`tokens`] | the tokens of the vocabulary by what they do to a string or a number |
//! | [`language`] | strings, formats and numbers as automata |
//! | [`text`] | JSON text: values, decimals, escapes |
//!
//! Above stand the compiler and the guides, below the regexes, the automata, the vocabulary and the collections. A file imports only what
//! stands below its folder, or lies in it; `tests/tower.rs` holds it to that.
//!
//! # One schema, from text to mask
//!
//! `{"type":"array","items":{"enum":["a","b"]},"uniqueItems":true}`
//!
//! 1. [`text::value::parse`] makes a `Value::Object` with three members.
//! 2. [`schema::keywords::read`] makes the node `All` of `Kinds(ARRAY)`, `Items { prefix: [], rest }` and `Unique`, where `rest` leads to
//!    `Scalars(["a", "b"])`. `hash_cons::share` finds nothing equal.
//! 3. [`analysis::analyse`] interns the conjunction of the root. `Builder::alternatives` opens one branch; `Builder::follow` hands its terms
//!    to `Builder::take`, which narrows the kinds to arrays, puts `items` on the list of the branch and sets `unique`. Nothing leaves a
//!    choice, so there is one branch, and `Builder::finish` ends it: `finish_array` makes an `Array` whose entries have the schema
//!    `[rest]`, interned, and whose `distinct` is set. That schema is next: its branch has `scalars`, and `finish` spells them as the literals
//!    `"a"` and `"b"`.
//! 4. The passes. `tell_entries_apart` sees that the entries have two values, so the array has at most two. `settle_costs` finds the least
//!    bytes by a least fixpoint: 3 for an entry, 2 for the array. `prune` and `find_endless` have nothing to do.
//! 5. `JsonMachine::new` takes the shapes. An output begins `At::Value`. Its `[` is `JsonMachine::push`: a `Level` with a
//!    `Distinct`, which records the text of the entries, because the array asks for distinct ones.
//! 6. After `["a",` the state is `At::Value` again, one entry is complete, and `GuideState::mask` asks `add_allowed`. The schema is finite,
//!    so `add_literals` answers: `Distinct::others` leaves `"b"` of the two literals, `add_texts` walks the trie along it, and with it
//!    come the tokens that go on behind it with `]`: a second `,` would need a third value. Had the entries any strings, `add_in_string`
//!    would take the classes of tokens that [`tokens`] keeps, and `add_apart` would remove those that repeat an entry.
//!
//! # Invariants
//!
//! - *Every state can finish.* `step` gives `None` rather than a state from which no completion leads on; a schema that nothing satisfies is
//!   refused when it is compiled.
//! - *Costs fall.* The cost of a state is the length in bytes of a completion. From each state with a cost above zero some byte
//!   leads to a state that costs less, so that following the cost down ends. It bounds the tokens that are still needed, as
//!   every byte that is used for it has a token of its own.
//! - *Marks are no text.* Bytes that UTF-8 never has stand for something else in keys; the register is
//!   [`marks`](crate::automaton::marks). None of them reaches an output.
//! - *A mask depends on `key(state)` and the budget alone.* What else a state holds (`Item::rest`, `Key::costs`) follows from the key, or moves
//!   the costs of all tokens by the same amount.
//! - *No walk is longer than the longest token.* Counts and distances are told apart only up to that length.

pub(crate) mod analysis;
pub(crate) mod language;
pub(crate) mod machine;
pub(crate) mod masks;
pub(crate) mod schema;
pub(crate) mod shape;
pub(crate) mod text;
pub(crate) mod tokens;

use crate::error::CompileError;
use crate::interrupt::passed;
use crate::json::analysis::unspelled;
use crate::json::language::cache::Languages;
use crate::json::machine::JsonMachine;
use crate::json::schema::documents::Documents;
use crate::json::schema::{hash_cons, keywords};
use crate::json::shape::shapes::Analysis;
use crate::json::text::value;
use crate::json::tokens::cache::ClassesCache;
use crate::options::{Limits, Options};
use std::sync::Arc;

/// The automaton of the JSON texts that are valid under a schema.
pub(crate) fn compile(
    schema: &str,
    options: &Options,
    limits: &Limits,
    languages: &Languages,
    documents: &Documents,
    classes: &Arc<ClassesCache>,
) -> Result<JsonMachine, CompileError> {
    let shapes = analysed(schema, options, limits, languages, documents)?;
    Ok(JsonMachine::new(shapes, options, classes.clone()))
}

/// The alternatives of a schema, of which a machine is made.
pub(crate) fn analysed(
    schema: &str,
    options: &Options,
    limits: &Limits,
    languages: &Languages,
    documents: &Documents,
) -> Result<Analysis, CompileError> {
    let value = value::parse(schema, limits.depth)?;
    unspelled::check_whitespace(options.whitespace, |text| languages.spellable().missing(text))?;
    let mut graph = keywords::read(&value, limits, options, languages, documents)?;
    hash_cons::share(&mut graph);
    // Sharing that was interrupted is not whole.
    if passed(0) {
        return Err(CompileError::Interrupted);
    }
    let shapes = analysis::analyse(&graph, options.whitespace, limits, languages);
    shapes.map_err(|error| unspelled::with_index(error, &value, documents))
}
