//! AVX2 with FMA and F16C: 8 elements, 16 registers.

use std::arch::x86_64::*;

use super::Simd;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2;

/// A mask whose first `count` of 8 elements are set.
#[inline(always)]
unsafe fn first(count: usize) -> __m256i {
    const ONES_THEN_ZEROS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: `count` is at most 8, so the 8 elements lie inside the table.
    unsafe { _mm256_loadu_si256(ONES_THEN_ZEROS.as_ptr().add(8 - count).cast()) }
}

/// The first `count` of 8 halves, zeros behind them.
#[inline(always)]
unsafe fn halves(from: *const u16, count: usize) -> __m128i {
    let mut part = [0u16; 8];
    // SAFETY: the caller's pointer has `count` elements, which is less than 8.
    unsafe {
        std::ptr::copy_nonoverlapping(from, part.as_mut_ptr(), count);
        _mm_loadu_si128(part.as_ptr().cast())
    }
}

// SAFETY of the whole implementation: the trait asks callers to have the instructions enabled and the pointers good; masked
// loads and stores touch only the elements of the mask.
impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_maskload_ps(from, first(count)) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_part_f16(from: *const u16, count: usize) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_cvtph_ps(halves(from, count)) }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u16) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { widen(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_part_bf16(from: *const u16, count: usize) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { widen(halves(from, count)) }
    }
    #[inline(always)]
    unsafe fn load_i4(from: *const u8) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_cvtepi32_ps(eight(from.cast::<i32>().read_unaligned())) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m256) {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn store_part(to: *mut f32, value: __m256, count: usize) {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_maskstore_ps(to, first(count), value) }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        // SAFETY: a prefetch reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn round(a: __m256) -> __m256 {
        // SAFETY: see the implementation's note.
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    unsafe fn scale(a: __m256, n: __m256) -> __m256 {
        // SAFETY: see the implementation's note. The exponent field of 2^n is n + 127.
        unsafe {
            let exponent = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)));
            _mm256_mul_ps(a, _mm256_castsi256_ps(exponent))
        }
    }
    #[inline(always)]
    unsafe fn sum(a: __m256) -> f32 {
        // SAFETY: see the implementation's note.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
}

/// The eight numbers of four bits in a word, the lowest bits first.
#[inline(always)]
pub(super) unsafe fn eight(word: i32) -> __m256i {
    // SAFETY: see the implementation's note.
    unsafe {
        let places = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
        _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(word), places), _mm256_set1_epi32(15))
    }
}

/// bfloat16 is the upper half of an `f32`.
#[inline(always)]
unsafe fn widen(halves: __m128i) -> __m256 {
    // SAFETY: see the implementation's note.
    unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves))) }
}
