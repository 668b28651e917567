//! JSON Schema to automata: text, conditions ([`schema`], [`node`]), alternatives ([`analysis`], [`shape`]), and the
//! pushdown automaton that reads output against them ([`machine`]).

pub(crate) mod analysis;
pub(crate) mod language;
pub(crate) mod machine;
pub(crate) mod masks;
pub(crate) mod schema;
pub(crate) mod shape;
pub(crate) mod text;
pub(crate) mod tokens;

use crate::error::CompileError;
use crate::json::language::cache::Languages;
use crate::json::machine::JsonMachine;
use crate::json::schema::documents::Documents;
use crate::json::schema::{hash_cons, keywords};
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
    let value = value::parse(schema, limits.depth)?;
    let mut graph = keywords::read(&value, limits, options.formats, languages, documents)?;
    hash_cons::share(&mut graph);
    Ok(JsonMachine::new(analysis::analyse(&graph, options.whitespace, limits, languages)?, options, classes.clone()))
}
