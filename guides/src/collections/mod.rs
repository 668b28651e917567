//! Small collections that nothing here is special to.

pub(crate) mod byte_set;
pub(crate) mod cache;
pub(crate) mod few;
pub(crate) mod fingerprint;
pub(crate) mod id;
pub(crate) mod once;
