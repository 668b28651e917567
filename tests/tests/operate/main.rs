//! What an operator relies on: bounded memory and connections, probes, an orderly end, metrics, messages.

mod bounds;
mod commands;
mod connections;
mod entry;
mod faults;
mod life;
mod metrics;
mod raw;
