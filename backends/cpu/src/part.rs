//! [`Part`]: the piece of a product that one thread computes.

/// All rows of some outputs: `out[r * out_stride + o] = weight[o] · x[r] + bias[o]`.
///
/// It has pointers instead of slices, because the pieces of several threads interleave in the rows of `out`.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// `rows` rows of `inputs` elements.
    pub(crate) x: *const f32,
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// That of the first of these outputs.
    pub(crate) bias: Option<*const f32>,
    /// The place of the first output of the first row.
    pub(crate) out: *mut f32,
    pub(crate) out_stride: usize,
}
