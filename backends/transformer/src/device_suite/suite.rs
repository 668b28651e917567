//! The harness of the cases: results, inputs, and the comparison of rows.

use half::bf16;
use jig_plugin_api::Result;

use crate::batch::{Batch, NO_SLOT};
use crate::device::Device;

/// A case and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// The operation and what was varied.
    pub name: String,
    /// What was wrong, if something was.
    pub problem: Option<String>,
}

/// How exact a device has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// The largest difference that counts as equal, as a share of the largest value of a row: about 1e-5 where
    /// activations are `f32`, 2e-2 where they are bf16.
    pub relative: f64,
    /// Whether a row has to have the same bits alone and in a batch.
    pub same_bits_in_any_batch: bool,
}

/// A device under test, and the results so far.
pub(super) struct Suite<'a, D: Device> {
    pub(super) device: &'a D,
    pub(super) tolerance: Tolerance,
    pub(super) results: Vec<CaseResult>,
}

/// The result of a case: `None`, or what is wrong. An error of the device is a failure too.
pub(super) type Found = Result<Option<String>>;

impl<D: Device> Suite<'_, D> {
    /// Runs a case.
    pub(super) fn case(&mut self, name: String, case: impl FnOnce(&D, Tolerance) -> Found) {
        let problem = case(self.device, self.tolerance).unwrap_or_else(|error| Some(error.to_string()));
        self.results.push(CaseResult { name, problem });
    }
}

/// A buffer with values.
pub(super) fn filled<D: Device>(device: &D, width: usize, values: &[f32]) -> Result<D::Buffer> {
    let buffer = device.buffer(values.len() / width, width)?;
    device.write_rows(&buffer, values)?;
    Ok(buffer)
}

/// The first rows of a buffer.
pub(super) fn read<D: Device>(device: &D, buffer: &D::Buffer, rows: usize) -> Result<Vec<Vec<f32>>> {
    (0..rows).map(|row| device.read_row(buffer, row)).collect()
}

/// The first place where rows differ from the right ones by more than the tolerance.
pub(super) fn compare(tolerance: Tolerance, found: &[Vec<f32>], right: &[Vec<f64>]) -> Option<String> {
    if found.len() != right.len() {
        return Some(format!("{} rows, not {}", found.len(), right.len()));
    }
    let rows = found.iter().zip(right).enumerate();
    rows.filter_map(|(row, (found, right))| {
        if found.len() != right.len() {
            return Some(format!("row {row} is {} wide, not {}", found.len(), right.len()));
        }
        let largest = right.iter().fold(1e-3, |largest: f64, x| largest.max(x.abs()));
        let wrong = |(column, (found, right)): (usize, (&f32, &f64))| {
            // Written so that a NaN is wrong.
            let close = (f64::from(*found) - right).abs() <= tolerance.relative * largest;
            (!close).then(|| format!("row {row}, column {column}: {found}, not {right}"))
        };
        found.iter().zip(right).enumerate().find_map(wrong)
    })
    .next()
}

/// Random numbers from -1 to 1, exact in bf16.
pub(super) fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let mut next = || {
        // xorshift64* (Vigna 2016)
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| bf16::from_f32(next()).to_f32()).collect()
}

/// A batch of rows without sequences.
pub(super) fn plain_batch(tokens: &[u32], positions: &[u32]) -> Batch {
    let slots = vec![NO_SLOT; tokens.len()];
    Batch { tokens: tokens.to_vec(), positions: positions.to_vec(), slots, ..Batch::default() }
}
