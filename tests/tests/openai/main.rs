//! The OpenAI-compatible API of a real server.

mod chat;
mod clients;
mod complaints;
mod completions;
mod extensions;
mod ground;
mod responses;
mod structures;
mod tools;
