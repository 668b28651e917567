//! The weights of a model directory: memory-mapped safetensors, one file or several.
//!
//! A [`Tensor`] is a range of a mapped file, so loading copies nothing that a device does not take. Quantized weights
//! come with what dequantizes them: [`scales`] for 8 bits ([`f8`]), [`int4`] groups for 4 bits, which [`packed`] reads
//! from the layouts of several tools.

mod blocks;
mod dtype;
pub mod f8;
mod files;
pub mod int4;
mod nibbles;
pub mod packed;
pub mod scales;
mod tensor;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jig_plugin_api::{Error, ErrorCode, Result};

pub use dtype::DType;
pub(crate) use files::PACKED_SHAPE;
pub use tensor::Tensor;

/// All tensors of a model directory, by name. Remembers which were taken, so that unused ones are reported.
#[derive(Debug)]
pub struct Weights {
    directory: PathBuf,
    tensors: BTreeMap<String, Tensor>,
    taken: RefCell<BTreeSet<String>>,
}

impl Weights {
    /// Maps the weights of a model directory: `model.safetensors`, or the files that `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// `NotFound` where there are none (and what there is instead), `InvalidFile` with the file's name.
    pub fn open(directory: &Path) -> Result<Self> {
        let tensors = files::open(directory)?;
        Ok(Self { directory: directory.to_owned(), tensors, taken: RefCell::default() })
    }

    /// The shape of the tensor of this name, if there is one.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(Tensor::shape)
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor of this name, which must have this shape.
    ///
    /// # Errors
    /// `InvalidFile` if it is missing or has another shape.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<&Tensor> {
        let invalid = |problem: String| Error::new(ErrorCode::InvalidFile, problem);
        let tensor = self.tensors.get(name).ok_or_else(|| {
            invalid(format!(
                "{}: tensor `{name}` is missing (shape {shape:?} by config.json)",
                self.directory.display()
            ))
        })?;
        if tensor.shape() != shape {
            let (file, found) = (tensor.file().display(), tensor.shape());
            return Err(invalid(format!(
                "{file}: tensor `{name}` has shape {found:?}, by config.json it is {shape:?}"
            )));
        }
        self.taken.borrow_mut().insert(name.to_owned());
        Ok(tensor)
    }

    /// The tensor of this name, which must be packed: words of this shape, each with eight 4-bit numbers.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub fn take_packed<const N: usize>(&self, name: &str, words: [usize; N]) -> Result<&Tensor> {
        let tensor = self.take(name, &[&words[..], &[8]].concat())?;
        let problem = || format!("{}: tensor `{name}` is {}, not I32", tensor.file().display(), tensor.dtype());
        let packed = tensor.dtype() == DType::I4;
        packed.then_some(tensor).ok_or_else(|| Error::new(ErrorCode::InvalidFile, problem()))
    }

    /// Checks that all tensors were taken, except those whose names end in one of `ignored`.
    ///
    /// # Errors
    /// `InvalidFile` that names the tensors.
    pub fn finish(&self, ignored: &[&str]) -> Result<()> {
        let taken = self.taken.borrow();
        let mut extra = self
            .tensors
            .iter()
            .filter(|(name, _)| !taken.contains(*name) && !ignored.iter().any(|end| name.ends_with(end)));
        let Some((name, tensor)) = extra.next() else { return Ok(()) };
        let more = match extra.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let file = tensor.file().display();
        Err(Error::new(
            ErrorCode::InvalidFile,
            format!("{file}: tensor `{name}`{more} has no place in the model that config.json describes"),
        ))
    }

    /// The element type that most elements have.
    #[must_use]
    pub fn dtype(&self) -> DType {
        let mut counts = [(0, DType::F32), (0, DType::F16), (0, DType::BF16), (0, DType::F8), (0, DType::I4)];
        for tensor in self.tensors.values() {
            for (count, dtype) in &mut counts {
                *count += if *dtype == tensor.dtype() { tensor.len() } else { 0 };
            }
        }
        counts.into_iter().max_by_key(|(count, _)| *count).map_or(DType::F32, |(_, dtype)| dtype)
    }

    /// The number of elements of all taken tensors; a packed word counts as eight.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.taken.borrow().iter().filter_map(|name| self.tensors.get(name)).map(|tensor| tensor.len() as u64).sum()
    }

    /// Bytes of all tensors.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tensors.values().map(|tensor| tensor.bytes().len() as u64).sum()
    }
}

#[cfg(test)]
mod tests;
