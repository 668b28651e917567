//! [`Element`]: the types that kernels read weights in.

use crate::simd::Simd;

/// A type that weights are stored in.
pub(crate) trait Element: Copy + 'static {
    /// An element in memory.
    type Stored: Copy + Sync;
    /// Whether nothing has to be widened.
    const IS_F32: bool = false;

    /// A vector of elements, widened.
    ///
    /// # Safety
    /// See [`Simd`].
    unsafe fn load<S: Simd>(from: *const Self::Stored) -> S::V;
    /// The first `count` elements, widened, and zeros behind them.
    ///
    /// # Safety
    /// See [`Simd`].
    unsafe fn load_part<S: Simd>(from: *const Self::Stored, count: usize) -> S::V;
}

/// IEEE single precision.
#[derive(Clone, Copy)]
pub(crate) struct F32;

/// IEEE half precision, as bits.
#[derive(Clone, Copy)]
pub(crate) struct F16;

/// bfloat16, as bits.
#[derive(Clone, Copy)]
pub(crate) struct BF16;

impl Element for F32 {
    type Stored = f32;
    const IS_F32: bool = true;

    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const f32) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load(from) }
    }
    #[inline(always)]
    unsafe fn load_part<S: Simd>(from: *const f32, count: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load_part(from, count) }
    }
}

impl Element for F16 {
    type Stored = u16;

    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const u16) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load_f16(from) }
    }
    #[inline(always)]
    unsafe fn load_part<S: Simd>(from: *const u16, count: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load_part_f16(from, count) }
    }
}

impl Element for BF16 {
    type Stored = u16;

    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const u16) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load_bf16(from) }
    }
    #[inline(always)]
    unsafe fn load_part<S: Simd>(from: *const u16, count: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load_part_bf16(from, count) }
    }
}
