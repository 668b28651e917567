//! [`Scratch`]: memory between the kernels of one operation.

use crate::runtime::Allocation;

/// Memory that all operations use in turn, and the largest needs that are known so far.
///
/// What products need is allocated before the KV cache takes what is left ([`CudaDevice::reserve`](super::CudaDevice::reserve)).
/// A step that allocates could run out of memory halfway, and forgets all recordings, since they name the old addresses.
#[derive(Default)]
pub(super) struct Scratch {
    /// Rows in 16 bits.
    pub(super) narrowed: Option<Allocation>,
    /// Quantized weights, widened to 16 bits.
    pub(super) widened: Option<Allocation>,
    /// Products before their gates.
    pub(super) products: Option<Allocation>,
    /// Partial sums of split products, and how many blocks have written theirs.
    pub(super) parts_of_sums: Option<Allocation>,
    pub(super) counters: Option<Allocation>,
    /// Parts of decode attention, and how many of them are written.
    pub(super) parts: Option<Allocation>,
    pub(super) part_counters: Option<Allocation>,
    /// The largest needs so far: rows of any buffer, elements of a row in 16 bits, outputs of a gate.
    pub(super) rows: usize,
    pub(super) inputs: usize,
    pub(super) gates: usize,
    /// Elements of a row that has to be reordered for a matrix.
    pub(super) ordered: usize,
    /// Bytes that are widened at once.
    pub(super) wide: usize,
    /// Bytes of the partial sums of a product.
    pub(super) sums: usize,
}
