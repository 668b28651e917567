//! A JSON Schema to a graph of conditions: a node for each keyword, with the JSON pointer of its place for errors.
//!
//! [`keywords`] walks the schema, [`references`] resolves its references, and [`hash_cons`] makes equal nodes one. A keyword is enforced or
//! refused with its pointer; annotations and keywords that no draft defines constrain nothing. A schema is read once for each dynamic
//! scope, so the graph of a recursive schema is finite and has cycles.

mod containers;
pub(crate) mod documents;
pub(crate) mod drafts;
mod equality;
pub(crate) mod graph;
pub(crate) mod hash_cons;
pub mod keyword_table;
pub(crate) mod keywords;
mod logic;
mod loops;
mod meta_schemas;
pub(crate) mod pointer;
mod references;
mod scalars;
mod subschemas;
mod unevaluated;
