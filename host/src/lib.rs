//! Jig: a self-hosted LLM server whose output always matches the JSON Schema or the regular expression
//! that the client sent.
//!
//! This crate is the host: it resolves a model, loads one backend plugin, drives it from one engine thread
//! with the guides of `jig-guides`, and answers HTTP.
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | the command line: `serve`, `generate`, `backends`, `check-plugin`, `check-schema` |
//! | [`model`] | from `--model` to a local directory: hub, cache, embedded demo |
//! | [`backend`] | from `--backend` to a loaded plugin |
//! | [`tokenizer`] | prompt to tokens, tokens to bytes, incremental detokenization |
//! | [`params`] | vLLM's sampling parameters: names, defaults, limits |
//! | [`prepare`] | from a request as it was sent to one that the engine runs |
//! | [`engine`] | the engine thread: admit, batch, step |
//! | [`schema_report`] | what the guides make of a JSON Schema, as data |
//! | [`http`] | `POST /generate` and its neighbours |

pub mod backend;
pub mod cli;
pub mod engine;
pub mod http;
pub mod model;
pub mod params;
pub mod prepare;
pub mod schema_report;
pub mod tokenizer;
