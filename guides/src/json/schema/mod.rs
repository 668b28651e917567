//! A JSON Schema to a graph of conditions.

pub(crate) mod documents;
pub(crate) mod drafts;
pub(crate) mod graph;
pub(crate) mod hash_cons;
pub(crate) mod keywords;
pub(crate) mod references;
