//! Tests that every [`Device`] must pass: each operation against a textbook version in `f64`.
//!
//! A device's own tests call [`run`] and check that no case failed. Inputs are random, the same in every run, and exact in
//! bf16, so that a device that keeps activations in 16 bits differs only by the rounding of what it computes.

mod attention;
mod operands;
mod products;
mod reference;
mod rows;
mod sampling;
mod suite;

pub use self::suite::{CaseResult, Tolerance};

use self::suite::Suite;
use crate::device::Device;

/// Runs all cases on a device.
pub fn run<D: Device>(device: &D, tolerance: Tolerance) -> Vec<CaseResult> {
    let mut suite = Suite { device, tolerance, results: Vec::new() };
    rows::cases(&mut suite);
    products::cases(&mut suite);
    operands::cases(&mut suite);
    attention::cases(&mut suite);
    sampling::cases(&mut suite);
    suite.results
}

/// Runs the cases that depend on the type of keys and values.
pub fn run_attention<D: Device>(device: &D, tolerance: Tolerance) -> Vec<CaseResult> {
    let mut suite = Suite { device, tolerance, results: Vec::new() };
    attention::cases(&mut suite);
    suite.results
}
