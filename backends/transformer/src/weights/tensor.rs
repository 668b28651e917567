//! [`Tensor`]: a tensor in a mapped file.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use super::dtype::DType;

/// A mapped file, kept until its last tensor is dropped.
#[derive(Debug)]
pub(super) struct MappedFile {
    pub(super) path: PathBuf,
    pub(super) map: Mmap,
}

/// A tensor in a mapped file (or in memory, for tests): row-major, little-endian, with no alignment guarantee.
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
    /// A tensor in a file. `None` if the range is outside the file or does not fit the shape.
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

    /// The same elements in another shape. `None` if that has another number of elements.
    #[must_use]
    pub fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        let elements = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n))?;
        (elements == self.len()).then(|| Self { shape: shape.to_vec(), ..self.clone() })
    }

    /// A range of its rows (of a vector, its elements), without a copy. `None` if it has fewer, or a row is no whole
    /// number of bytes.
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> Option<Self> {
        let (count, rest) = self.shape.split_first()?;
        let row = self.dtype.bytes(rest.iter().product())?;
        let range = self.range.start + rows.start * row..self.range.start + rows.end * row;
        let shape = [&[rows.len()], rest].concat();
        let inside = rows.start <= rows.end && rows.end <= *count;
        inside.then(|| Self { dtype: self.dtype, shape, storage: self.storage.clone(), range })
    }

    /// A range of the columns of a matrix: a copy, unless it is all of them. `None` if it has fewer, or the range does
    /// not begin and end at whole bytes.
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

    /// Its elements as `f32`, without applying scales.
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
