//! JSON text.

pub(crate) mod decimal;
pub(crate) mod escape;
pub(crate) mod prefix;
pub(crate) mod value;
