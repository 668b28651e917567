//! Vectors of `f32` on the three levels of instructions that the backend knows.
//!
//! A kernel is written once, generic over [`Simd`], and compiled for each level by [`dispatch!`]. The level is found at
//! run time, so one library runs everywhere and is fast where it can be.

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
