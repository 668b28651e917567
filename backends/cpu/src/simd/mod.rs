//! Vectors of `f32` for three instruction sets: AVX-512, AVX2 and portable Rust.
//!
//! A kernel is written once, generic over [`Simd`], and compiled for each level by [`dispatch!`]. The level is detected
//! at run time, so one library runs on every processor and uses what each has.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dispatch;
mod level;
mod math;
mod portable;
mod vector;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use dispatch::dispatch;
pub use level::Level;
pub(crate) use math::{exp, tanh};
pub(crate) use portable::Portable;
pub(crate) use vector::Simd;
