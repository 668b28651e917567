//! Jig: a self-hosted LLM server whose output always matches the JSON Schema or the regular expression
//! that the client sent.
//!
//! This crate is the host: it resolves a model, loads one backend plugin, drives it from one engine thread
//! with the guides of `jig-guides`, and answers HTTP.
//!
//! | folder | what it holds | what of this crate it imports |
//! |---|---|---|
//! | [`cli`] | the command line: `serve`, `generate`, `chat`, `backends`, `check-plugin`, `check-schema` | all below |
//! | [`http`] | how bytes travel: connections, HTTPS, bodies, routes, metrics | `protocol`, `prepare`, `prompt`, `engine`, `measure` |
//! | [`protocol`] | what clients speak: bodies to requests, events to answers | `prepare`, `prompt`, `output`, `engine`, `schema_report`, `tokenizer`, `request` |
//! | [`prepare`] | prompts to tokens, constraints to guides, off the threads that serve connections | `tokenizer`, `request`, `measure` |
//! | [`prompt`] | from messages and tools to the text of a prompt, by a model's chat template | `request` |
//! | [`engine`] | the engine thread: admit, batch, step | `tokenizer`, `request`, `measure` |
//! | [`output`] | what a text says beside plain words: reasoning and tool calls | `request` |
//! | [`schema_report`] | what the guides make of a JSON Schema, as data | nothing |
//! | [`backend`] | from `--backend` to a loaded plugin | nothing |
//! | [`model`] | from `--model` to a local directory: hub, cache, embedded demo | nothing |
//! | [`tokenizer`] | prompt to tokens, tokens to bytes, incremental detokenization | nothing |
//! | [`request`] | the domain: requests, their limits and their events | nothing |
//! | [`measure`] | histograms and what the system says of the process | nothing |
//!
//! # Invariants
//!
//! - A folder imports those below it in the table, never one above; `tests/layers.rs` reads the sources and fails on anything else.
//! - A protocol knows the request, its preparation and the engine; none of them knows a protocol.
//! - No name of a wire format stands below `protocol`. What is wrong with a request is said of a [`request::Field`], and the protocol names it as its
//!   client did.
//! - `request` imports nothing of the project but the guides and the parameters of sampling.
//! - One thread owns the model, and nothing blocks it: no file, no socket, no compilation.
//!
//! # Where further parts go
//!
//! - Another protocol is a folder beside `protocol/outlines` and `protocol/openai`. It shares `protocol::fields`, and its endpoints are routes of `http`.

pub mod backend;
pub mod cli;
pub mod engine;
pub mod http;
pub mod measure;
pub mod model;
pub mod output;
pub mod prepare;
pub mod prompt;
pub mod protocol;
pub mod request;
pub mod schema_report;
pub mod tokenizer;
