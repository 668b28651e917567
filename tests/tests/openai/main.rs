//! The OpenAI-compatible API of a real server.

mod chat;
mod clients;
mod completions;
mod ground;
mod responses;
mod tools;
