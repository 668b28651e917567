//! What clients speak: from the bytes of a body to a request, and from the engine's events to the bytes of an answer.
//!
//! | module | what it holds |
//! |---|---|
//! | [`fields`] | what any protocol of JSON bodies needs: fields, their values, refusals that name them |
//! | [`outlines`] | `POST /generate`, the protocol of `outlines.serve` with vLLM's sampling parameters |
//! | [`openai`] | the API of OpenAI with vLLM's extensions: chat, completions, models, tokens |
//! | `sampling` | vLLM's sampling parameters |
//! | `neutral` | fields that are accepted only where they ask for nothing |
//! | `record` | what is noted of a generation while it runs |
//! | [`report`] | what is known of a request when its answer ends, for the log |
//! | `error` | the body of an answer that is an error |
//! | `field_counts` | how often fields were ignored, by name |
//! | `service` | what the endpoints of all protocols share |
//!
//! A protocol knows the request, its preparation and the engine; none of them knows a protocol. Names of wire formats stand here and nowhere
//! else. How bytes travel is the business of [`http`](crate::http).

mod error;
mod field_counts;
pub mod fields;
mod neutral;
pub mod openai;
pub mod outlines;
mod record;
pub mod report;
mod sampling;
mod service;

pub use self::error::ApiError;
pub use self::field_counts::FieldCounts;
pub use self::service::Service;
