//! A JSON Schema to a graph of conditions: one node for what a keyword says, with the JSON pointer of its place for errors.
//!
//! A keyword is enforced or refused with its pointer; annotations and keywords that no draft defines constrain nothing. `$ref` leads
//! to nodes that are read once, so the graph of a recursive schema is finite and has cycles.

pub(crate) mod documents;
pub(crate) mod drafts;
pub(crate) mod graph;
pub(crate) mod hash_cons;
pub mod keyword_table;
pub(crate) mod keywords;
pub(crate) mod references;
