//! Small collections that nothing here is special to.

pub(crate) mod byte_set;
pub(crate) mod few;
pub(crate) mod fingerprint;
pub(crate) mod memo;
pub(crate) mod once;
