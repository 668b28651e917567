//! JSON text, as far as it has nothing to do with schemas: values with the spelling of their numbers, exact decimals, the escapes of
//! strings, and the question whether a text that has begun can become a given value.

pub(crate) mod decimal;
pub(crate) mod escape;
pub(crate) mod prefix;
pub(crate) mod value;
