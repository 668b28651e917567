//! [`Simd`]: the vector operations that each level implements.

/// A vector type and its operations.
///
/// # Safety
/// All functions need the instructions of the implementing level: call them only from a function that
/// [`dispatch!`](super::dispatch!) made for it. Those that take a pointer read or write the number of elements that they
/// name.
pub(crate) trait Simd: Copy {
    /// The vector.
    type V: Copy;
    /// The number of its elements.
    const LANES: usize;
    /// The number of vector registers, which limits the blocks of products.
    const REGISTERS: usize;

    /// All elements `value`.
    unsafe fn splat(value: f32) -> Self::V;
    /// `LANES` elements.
    unsafe fn load(from: *const f32) -> Self::V;
    /// The first `count` elements (fewer than `LANES`), zeros behind them.
    unsafe fn load_part(from: *const f32, count: usize) -> Self::V;
    /// `LANES` elements of IEEE half precision.
    unsafe fn load_f16(from: *const u16) -> Self::V;
    /// As [`Simd::load_part`], of half precision.
    unsafe fn load_part_f16(from: *const u16, count: usize) -> Self::V;
    /// `LANES` elements of bfloat16.
    unsafe fn load_bf16(from: *const u16) -> Self::V;
    /// As [`Simd::load_part`], of bfloat16.
    unsafe fn load_part_bf16(from: *const u16, count: usize) -> Self::V;
    /// `LANES` integers of four bits, two in a byte with the first in the low half.
    unsafe fn load_i4(from: *const u8) -> Self::V;
    /// Writes `LANES` elements.
    unsafe fn store(to: *mut f32, value: Self::V);
    /// Writes the first `count` elements (fewer than `LANES`).
    unsafe fn store_part(to: *mut f32, value: Self::V, count: usize);

    /// Prefetches the cache line at `at`, which may be any address, into the L2 cache: L2 can have far more misses in
    /// flight than L1.
    unsafe fn prefetch(at: *const u8);

    /// `a + b`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`.
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once if the level has fused multiply-add.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of each.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of each.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// The nearest whole numbers.
    unsafe fn round(a: Self::V) -> Self::V;
    /// `a * 2^n` for whole `n` from -126 to 127.
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V;
    /// The sum of the elements, in an order that depends only on the level.
    unsafe fn sum(a: Self::V) -> f32;
}
