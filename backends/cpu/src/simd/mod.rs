//! Vectors of `f32` on the three levels of instructions that the backend knows.
//!
//! A kernel is written once, generic over [`Simd`], and compiled for each level by [`dispatch!`]. The level is found at
//! run time, so one library runs everywhere and is fast where it can be.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod math;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use math::{exp, tanh};
pub(crate) use portable::Portable;

/// The instructions that a kernel may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What every processor has.
    Portable,
    /// AVX2, FMA and F16C: x86-64 since about 2013.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Level {
    /// The levels that this processor has, the plainest first. Never empty.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Level::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 =
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
            if avx2 {
                levels.push(Level::Avx2);
            }
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if avx2 && avx512 {
                levels.push(Level::Avx512);
            }
        }
        levels
    }

    /// The best level that this processor has.
    #[must_use]
    pub fn best() -> Self {
        *Self::available().last().unwrap_or(&Level::Portable)
    }

    /// The level's name (`avx512`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }
}

/// A vector of `f32` and what kernels do with it.
///
/// # Safety
/// All functions need the instructions of the implementing level: call them only from a function that
/// [`dispatch!`] made for it. Those that take a pointer read or write as many elements behind it as they say.
pub(crate) trait Simd: Copy {
    /// The vector.
    type V: Copy;
    /// The number of its elements.
    const LANES: usize;
    /// The number of vector registers: how large a block of a product may be.
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
    /// `LANES` whole numbers of four bits, two in a byte, the first one in the lower half.
    unsafe fn load_i4(from: *const u8) -> Self::V;
    /// Writes `LANES` elements.
    unsafe fn store(to: *mut f32, value: Self::V);
    /// Writes the first `count` elements (fewer than `LANES`).
    unsafe fn store_part(to: *mut f32, value: Self::V, count: usize);

    /// Asks for the cache line at `at`, which may be any address, in the second level of cache: it has far more lines under
    /// way than the first.
    unsafe fn prefetch(at: *const u8);

    /// `a + b`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`.
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the level has it.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of each.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of each.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// The nearest whole numbers.
    unsafe fn round(a: Self::V) -> Self::V;
    /// `a * 2^n` for whole `n` from -126 to 127.
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V;
    /// The sum of the elements, in an order that depends on nothing but the level.
    unsafe fn sum(a: Self::V) -> f32;
}

/// Compiles a kernel that is generic over [`Simd`] for each level, behind a function that takes the level first.
///
/// `dispatch! { fn name(argument: Type, ...) -> Type = kernel; }` calls `kernel::<Level>(argument, ...)`, which must be
/// `#[inline(always)]` to be compiled with the level's instructions.
macro_rules! dispatch {
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident $(<$($generic:ident : $bound:path),*>)? ($($arg:ident : $type:ty),* $(,)?) $(-> $ret:ty)? = $kernel:ident;) => {
        $(#[$meta])*
        $vis unsafe fn $name $(<$($generic: $bound),*>)? (level: $crate::simd::Level, $($arg: $type),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
            unsafe fn avx512 $(<$($generic: $bound),*>)? ($($arg: $type),*) $(-> $ret)? {
                // SAFETY: the level's instructions are enabled here; the rest is the caller's promise.
                unsafe { $kernel::<$crate::simd::Avx512 $($(, $generic)*)?>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            unsafe fn avx2 $(<$($generic: $bound),*>)? ($($arg: $type),*) $(-> $ret)? {
                // SAFETY: as above.
                unsafe { $kernel::<$crate::simd::Avx2 $($(, $generic)*)?>($($arg),*) }
            }
            match level {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a level is made only where the processor has its instructions.
                $crate::simd::Level::Avx512 => unsafe { avx512 $(::<$($generic),*>)? ($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                $crate::simd::Level::Avx2 => unsafe { avx2 $(::<$($generic),*>)? ($($arg),*) },
                // SAFETY: the caller's promise.
                _ => unsafe { $kernel::<$crate::simd::Portable $($(, $generic)*)?>($($arg),*) },
            }
        }
    };
}
pub(crate) use dispatch;
