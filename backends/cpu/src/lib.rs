//! The device that computes a decoder on the CPU.

pub mod attention;
pub mod elementwise;
pub mod matmul;
mod simd;
pub mod threads;

pub use simd::Level;
