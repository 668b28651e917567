//! Plain Rust: arrays of 8 elements, which the compiler turns into the target's vectors.

use half::{bf16, f16};

use super::Simd;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

type V = [f32; 8];

#[inline(always)]
fn each(a: V, b: V, f: impl Fn(f32, f32) -> f32) -> V {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
unsafe fn gather<T: Copy>(from: *const T, count: usize, f: impl Fn(T) -> f32) -> V {
    // SAFETY: the caller's pointer has `count` elements.
    std::array::from_fn(|i| if i < count { f(unsafe { *from.add(i) }) } else { 0.0 })
}

// SAFETY of the whole implementation: no instructions beyond the target's are used; the trait asks callers for good pointers.
impl Simd for Portable {
    type V = V;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> V {
        [value; 8]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> V {
        // SAFETY: see the implementation's note.
        unsafe { gather(from, 8, |x| x) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> V {
        // SAFETY: see the implementation's note.
        unsafe { gather(from, count, |x| x) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> V {
        // SAFETY: see the implementation's note.
        unsafe { gather(from, 8, |x| f16::from_bits(x).to_f32()) }
    }
    #[inline(always)]
    unsafe fn load_part_f16(from: *const u16, count: usize) -> V {
        // SAFETY: see the implementation's note.
        unsafe { gather(from, count, |x| f16::from_bits(x).to_f32()) }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u16) -> V {
        // SAFETY: see the implementation's note.
        unsafe { gather(from, 8, |x| bf16::from_bits(x).to_f32()) }
    }
    #[inline(always)]
    unsafe fn load_part_bf16(from: *const u16, count: usize) -> V {
        // SAFETY: see the implementation's note.
        unsafe { gather(from, count, |x| bf16::from_bits(x).to_f32()) }
    }
    #[inline(always)]
    unsafe fn load_i4(from: *const u8) -> V {
        // SAFETY: see the implementation's note.
        let word = u32::from_le_bytes(unsafe { *from.cast::<[u8; 4]>() });
        std::array::from_fn(|i| (word >> (4 * i) & 15) as i32 as f32)
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: V) {
        // SAFETY: see the implementation's note.
        unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), to, 8) }
    }
    #[inline(always)]
    unsafe fn store_part(to: *mut f32, value: V, count: usize) {
        // SAFETY: see the implementation's note.
        unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), to, count) }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        let _ = at;
    }
    #[inline(always)]
    unsafe fn add(a: V, b: V) -> V {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: V, b: V) -> V {
        each(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: V, b: V) -> V {
        each(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: V, b: V) -> V {
        each(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn fma(a: V, b: V, c: V) -> V {
        // Not `mul_add`, which is a function call on targets without the instruction.
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn max(a: V, b: V) -> V {
        each(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: V, b: V) -> V {
        each(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn round(a: V) -> V {
        a.map(f32::round_ties_even)
    }
    #[inline(always)]
    unsafe fn scale(a: V, n: V) -> V {
        each(a, n, |a, n| a * f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn sum(a: V) -> f32 {
        ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
    }
}
