//! The loader on real libraries, built here.

mod build;
mod conformance;
mod refusals;
mod versions;
