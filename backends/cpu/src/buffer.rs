//! [`Buffer`]: activations, shared without locks between the operations of the device's thread.

use jig_plugin_api::{Error, Result};

use crate::memory::Memory;

/// Activations `[rows, width]`. Only operations on the device's thread touch them.
#[derive(Debug)]
pub struct Buffer {
    pub(crate) rows: usize,
    pub(crate) width: usize,
    memory: Memory,
}

impl Buffer {
    pub(crate) fn new(rows: usize, width: usize) -> Result<Self> {
        let floats = rows.checked_mul(width).ok_or_else(|| Error::out_of_memory("a buffer is too large"))?;
        Ok(Self { rows, width, memory: Memory::floats(floats)? })
    }

    /// All rows.
    ///
    /// # Safety
    /// Nobody writes to them meanwhile.
    pub(crate) unsafe fn all(&self) -> &[f32] {
        // SAFETY: the contract.
        unsafe { self.memory.as_floats() }
    }

    /// All rows, to write to.
    ///
    /// # Safety
    /// Nobody else uses them meanwhile.
    #[allow(clippy::mut_from_ref, reason = "see Memory")]
    pub(crate) unsafe fn all_mut(&self) -> &mut [f32] {
        // SAFETY: the contract.
        unsafe { self.memory.as_floats_mut() }
    }

    /// Part of a row, to write to.
    ///
    /// # Panics
    /// If it lies outside of the buffer.
    ///
    /// # Safety
    /// Nobody else uses this part meanwhile.
    #[allow(clippy::mut_from_ref, reason = "see Memory")]
    pub(crate) unsafe fn part(&self, row: usize, first: usize, count: usize) -> &mut [f32] {
        assert!(first + count <= self.width, "columns {first} to {} of {}", first + count, self.width);
        // SAFETY: the contract.
        unsafe { self.memory.floats_at(row * self.width + first, count) }
    }

    /// A row, to write to.
    ///
    /// # Panics
    /// If there is no such row.
    ///
    /// # Safety
    /// Nobody else uses this row meanwhile.
    #[allow(clippy::mut_from_ref, reason = "see Memory")]
    pub(crate) unsafe fn row(&self, row: usize) -> &mut [f32] {
        // SAFETY: the contract.
        unsafe { self.part(row, 0, self.width) }
    }
}
