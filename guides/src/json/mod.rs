//! JSON Schema to automata: text, conditions ([`schema`], [`node`]), alternatives ([`analysis`], [`shape`]), and the
//! pushdown automaton that reads output against them ([`machine`]).

mod alphabet;
mod analysis;
mod apart;
mod array;
mod branch;
mod caps;
pub(crate) mod classes;
mod compared;
mod containers;
mod costs;
mod decimal;
mod demands;
pub(crate) mod digits;
mod distinct;
pub(crate) mod documents;
pub(crate) mod drafts;
mod few;
pub(crate) mod formats;
mod frame;
mod keys;
mod known;
pub(crate) mod languages;
pub(crate) mod machine;
mod masks;
mod memo;
mod named;
mod next_bytes;
mod node;
mod numbers;
mod object;
mod once;
mod references;
mod schema;
pub(crate) mod shape;
mod share;
mod spacing;
pub(crate) mod state;
pub(crate) mod strings;
mod subsumed;
mod text;
mod used;

use crate::compiler::{Limits, Options};
use crate::error::CompileError;
use languages::Languages;
use machine::JsonMachine;

/// The automaton of the JSON texts that are valid under a schema.
pub(crate) fn compile(
    schema: &str,
    options: &Options,
    limits: &Limits,
    languages: &Languages,
    documents: &documents::Documents,
) -> Result<JsonMachine, CompileError> {
    let value = text::parse(schema, limits.depth)?;
    let mut graph = schema::read(&value, limits, options.formats, languages, documents)?;
    share::share(&mut graph);
    Ok(JsonMachine::new(analysis::analyse(&graph, options.whitespace, limits, languages)?, options))
}
