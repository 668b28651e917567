//! What any protocol of JSON bodies needs: fields as the client spelled them, their values, and refusals that name them.
//!
//! | module | what it holds |
//! |---|---|
//! | `body` | the JSON text as a list of fields: no key twice, each value as the client spelled it |
//! | `value` | the value of a field as a number, a string, a list, or the reason why it is none |
//! | `names` | the nearest one to a name that no field has |
//! | `sources` | the text of a schema or a regular expression, and names of a list |
//! | `refusal` | a request that is wrong, and where |

mod body;
mod names;
mod refusal;
mod sources;
mod value;

pub(super) use body::{Field, read};
pub(crate) use names::nearest;
pub use refusal::Refusal;
pub(super) use sources::{grammar_text, one_of, regex_text, schema_text};
