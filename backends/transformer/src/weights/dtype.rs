//! [`DType`]: how the elements of a tensor are stored.

use std::fmt;
use std::str::FromStr;

use half::{bf16, f16};
use jig_plugin_api::{Error, Result};

use super::{f8, nibbles};

/// The type of a weight's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// The upper half of a binary32.
    BF16,
    /// Eight bits ([`super::f8`]), for weights with scales. It is a storage type only: devices multiply such weights as
    /// [`DType::BF16`], which represents all of its numbers.
    F8,
    /// Four bits: integers from 0 to 15, two in a byte with the first in the low half, for weights with
    /// [`Groups`](super::int4::Groups). Files store eight of them as one I32.
    I4,
}

impl DType {
    /// Bits of an element.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            DType::F32 => 32,
            DType::F16 | DType::BF16 => 16,
            DType::F8 => 8,
            DType::I4 => 4,
        }
    }

    /// Bytes of `elements` elements. `None` if that is no whole number of bytes, or overflows.
    #[must_use]
    pub const fn bytes(self, elements: usize) -> Option<usize> {
        match elements.checked_mul(self.bits()) {
            Some(bits) if bits % 8 == 0 => Some(bits / 8),
            _ => None,
        }
    }

    /// Converts stored elements (little-endian) to `f32`, without applying scales or groups. Stops at the end of
    /// `bytes` or of `into`.
    pub fn widen(self, bytes: &[u8], into: &mut [f32]) {
        fn put(into: &mut [f32], values: impl Iterator<Item = f32>) {
            into.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        }
        match self {
            DType::F32 => put(into, bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
            DType::F16 => put(into, bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
            DType::BF16 => put(into, bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32())),
            DType::F8 => put(into, bytes.iter().map(|b| f8::widen(*b))),
            DType::I4 => put(into, bytes.iter().flat_map(|b| nibbles::numbers(*b).map(f32::from))),
        }
    }

    /// Converts numbers to stored elements, rounded to the nearest.
    #[must_use]
    pub fn narrow(self, values: &[f32]) -> Vec<u8> {
        match self {
            DType::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            DType::F16 => values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
            DType::BF16 => values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
            DType::F8 => values.iter().map(|x| f8::narrow(*x)).collect(),
            DType::I4 => {
                values.chunks(2).map(|two| nibbles::pack(two[0] as u8, two.get(1).map_or(0, |x| *x as u8))).collect()
            }
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::F8 => "f8",
            DType::I4 => "i4",
        })
    }
}

impl FromStr for DType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "f32" | "float32" | "float" => Ok(DType::F32),
            "f16" | "float16" | "half" => Ok(DType::F16),
            "bf16" | "bfloat16" => Ok(DType::BF16),
            _ => Err(Error::invalid_argument(format!("dtype `{name}` is not one of auto, f32, f16, bf16"))),
        }
    }
}
