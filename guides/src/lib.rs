//! Guides constrain the output of a language model: before each token they give the set of tokens that may come next.
//!
//! A [`Vocabulary`] maps each token of a model to its bytes. A [`Compiler`] turns a [`Source`] (a regular expression, a JSON Schema, a
//! list of choices, a [`Part`] of free and guided parts) into a [`Guide`]. Each output has a [`GuideState`], which gives the allowed tokens ([`GuideState::mask`]) and takes
//! the token that was sampled ([`GuideState::advance`]). An output that ends where [`GuideState::may_end`] is true matches the source
//! exactly. No allowed token leads to a dead end, and an output with a sufficient budget of tokens is completed within it.
//!
//! ```
//! use jig_guides::{Compiler, Limits, Options, Source, Vocabulary};
//! use std::sync::Arc;
//!
//! // A vocabulary of all bytes, and token 256 that ends the output.
//! let tokens = (0..=255u8).map(|byte| Some(vec![byte])).chain([None]).collect();
//! let vocabulary = Arc::new(Vocabulary::new(tokens, vec![256])?);
//! let compiler = Compiler::new(vocabulary, Limits::default());
//! let guide = compiler.compile(&Source::Regex("(yes|no)!".into()), &Options::default())?;
//!
//! let mut state = guide.start();
//! assert_eq!(state.mask(None).tokens(257), [u32::from(b'n'), u32::from(b'y')]);
//! for byte in b"no!" {
//!     state.advance(u32::from(*byte))?;
//! }
//! assert!(state.may_end() && state.must_end());
//! assert!(state.advance(u32::from(b'?')).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod automaton;
mod collections;
mod compiler;
mod error;
mod grammar;
mod guide;
mod interrupt;
mod json;
mod options;
mod regex;
mod source;
mod tags;
mod vocabulary;

pub use compiler::Compiler;
pub use error::{CompileError, Place, Refused, VocabularyError};
pub use guide::{Guide, GuideState};
pub use interrupt::Interrupt;
pub use json::schema::documents::{Added, Documents};
pub use json::schema::drafts::draft_has_keyword;
pub use json::schema::keyword_table as keywords;
pub use options::{Digits, Formats, Limits, Options, Order, Whitespace};
pub use source::Source;
pub use source::part::{After, Delimiters, Marker, Part, SeparatedTags, Style, Tag, TriggeredTags, Values};
pub use vocabulary::Vocabulary;
pub use vocabulary::mask::Mask;
