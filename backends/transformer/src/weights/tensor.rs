//! [`Tensor`]: a tensor in a mapped file.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use half::{bf16, f16};
use jig_plugin_api::{Error, Result};
use memmap2::Mmap;

use super::{f8, int4};

/// The type of a weight's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// The upper half of a binary32.
    BF16,
    /// Eight bits ([`super::f8`]), of weights that have scales. Nothing is computed in it: devices that keep weights so
    /// multiply them as [`DType::BF16`], which has all of its numbers.
    F8,
    /// Four bits, two in a byte, the first one in the lower half: whole numbers from 0 to 15, of weights that have
    /// [`Groups`](super::int4::Groups). What files call I32 are eight of them.
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

    /// Bytes of so many elements. `None` where they don't end with a byte, or are more than can be counted.
    #[must_use]
    pub const fn bytes(self, elements: usize) -> Option<usize> {
        match elements.checked_mul(self.bits()) {
            Some(bits) if bits % 8 == 0 => Some(bits / 8),
            _ => None,
        }
    }

    /// The numbers of elements as they are stored, little-endian: of weights that have scales or groups, without them. As many as there are
    /// places in `into`, or as there are elements.
    pub fn widen(self, bytes: &[u8], into: &mut [f32]) {
        fn put(into: &mut [f32], values: impl Iterator<Item = f32>) {
            into.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        }
        match self {
            DType::F32 => put(into, bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
            DType::F16 => put(into, bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
            DType::BF16 => put(into, bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32())),
            DType::F8 => put(into, bytes.iter().map(|b| f8::widen(*b))),
            DType::I4 => put(into, bytes.iter().flat_map(|b| int4::numbers(*b).map(f32::from))),
        }
    }

    /// Numbers as elements, rounded to the nearest, as they are stored.
    #[must_use]
    pub fn narrow(self, values: &[f32]) -> Vec<u8> {
        match self {
            DType::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            DType::F16 => values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
            DType::BF16 => values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
            DType::F8 => values.iter().map(|x| f8::narrow(*x)).collect(),
            DType::I4 => {
                values.chunks(2).map(|two| int4::pack(two[0] as u8, two.get(1).map_or(0, |x| *x as u8))).collect()
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

/// A file whose tensors are in use.
#[derive(Debug)]
pub(super) struct MappedFile {
    pub(super) path: PathBuf,
    pub(super) map: Mmap,
}

/// A tensor in a mapped file (or in memory, for tests): row-major, little-endian, with no promise of alignment.
#[derive(Clone)]
pub struct Tensor {
    dtype: DType,
    shape: Vec<usize>,
    storage: Storage,
    range: Range<usize>,
}

#[derive(Clone)]
enum Storage {
    Mapped(Arc<MappedFile>),
    Memory(Arc<[u8]>),
}

impl Tensor {
    /// A tensor in a file. `None` if the range is not inside the file or does not fit the shape.
    pub(super) fn mapped(file: &Arc<MappedFile>, dtype: DType, shape: Vec<usize>, range: Range<usize>) -> Option<Self> {
        let elements = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n))?;
        let fits = dtype.bytes(elements)? == range.end.checked_sub(range.start)?;
        (fits && range.end <= file.map.len()).then(|| Self {
            dtype,
            shape,
            storage: Storage::Mapped(Arc::clone(file)),
            range,
        })
    }

    /// A tensor in memory, of elements as they are stored. `None` if they do not fit the shape.
    #[must_use]
    pub fn in_memory(dtype: DType, shape: &[usize], bytes: Vec<u8>) -> Option<Self> {
        let elements = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n))?;
        let fits = dtype.bytes(elements)? == bytes.len();
        fits.then(|| Self {
            dtype,
            shape: shape.to_vec(),
            range: 0..bytes.len(),
            storage: Storage::Memory(bytes.into()),
        })
    }

    /// A tensor in memory, of the given type; values are rounded to it.
    ///
    /// # Panics
    /// If the shape does not fit the number of values.
    #[must_use]
    pub fn from_values(dtype: DType, shape: &[usize], values: &[f32]) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "shape and number of values");
        let bytes = dtype.narrow(values);
        Self { dtype, shape: shape.to_vec(), range: 0..bytes.len(), storage: Storage::Memory(bytes.into()) }
    }

    /// The type of its elements.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.range.len() * 8 / self.dtype.bits()
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Its elements: row-major, little-endian.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let all: &[u8] = match &self.storage {
            Storage::Mapped(file) => &file.map,
            Storage::Memory(bytes) => bytes,
        };
        all.get(self.range.clone()).unwrap_or_default()
    }

    /// The same elements in another shape. `None` where that is of more or fewer.
    #[must_use]
    pub fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        let elements = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n))?;
        (elements == self.len()).then(|| Self { shape: shape.to_vec(), ..self.clone() })
    }

    /// Some of its rows (of a vector, its elements), where they are. `None` if it has fewer, or they don't begin with a byte.
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> Option<Self> {
        let (count, rest) = self.shape.split_first()?;
        let row = self.dtype.bytes(rest.iter().product())?;
        let range = self.range.start + rows.start * row..self.range.start + rows.end * row;
        let shape = [&[rows.len()], rest].concat();
        let inside = rows.start <= rows.end && rows.end <= *count;
        inside.then(|| Self { dtype: self.dtype, shape, storage: self.storage.clone(), range })
    }

    /// Some columns of a matrix, in memory of their own unless they are all. `None` if it has fewer, or they don't begin and end
    /// with a byte.
    #[must_use]
    pub fn columns(&self, columns: Range<usize>) -> Option<Self> {
        let [rows, width] = *self.shape else { return None };
        if columns == (0..width) {
            return Some(self.clone());
        }
        let of_row = self.dtype.bytes(columns.start)?..self.dtype.bytes(columns.end)?;
        let mut bytes = Vec::with_capacity(rows * of_row.len());
        for row in self.bytes().chunks_exact(self.dtype.bytes(width)?.max(1)) {
            bytes.extend_from_slice(row.get(of_row.clone())?);
        }
        let (shape, range) = (vec![rows, columns.len()], 0..bytes.len());
        Some(Self { dtype: self.dtype, shape, storage: Storage::Memory(bytes.into()), range })
    }

    /// The file it is in, for messages.
    #[must_use]
    pub fn file(&self) -> &Path {
        match &self.storage {
            Storage::Mapped(file) => &file.path,
            Storage::Memory(_) => Path::new("(memory)"),
        }
    }

    /// Its elements as `f32`: of weights that have scales, without them.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.len()];
        self.dtype.widen(self.bytes(), &mut values);
        values
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?} in {})", self.dtype, self.shape, self.file().display())
    }
}
