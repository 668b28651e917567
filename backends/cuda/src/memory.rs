//! What a device holds: activations, weights, the KV cache.

use std::borrow::Cow;
use std::sync::Arc;

use half::{bf16, f16};
use jig_plugin_api::{Error, Result};
use jig_transformer::device::{KvShape, MatrixPart, MatrixSource};
use jig_transformer::weights::f8;
use jig_transformer::{DType, Tensor};

use crate::runtime::{Allocation, Runtime};

/// Rows begin at multiples of this many elements, so that loads of 16 bytes along a row are aligned.
pub(crate) const ALIGNMENT: usize = 8;

/// Tokens of a page; the kernels' `PAGE`.
pub(crate) const PAGE: usize = 16;

/// Bytes that are converted at a time where a tensor is stored in another way than it is kept.
const PIECE: usize = 8 << 20;

fn too_large() -> Error {
    Error::out_of_memory("a matrix is larger than any memory")
}

/// Activations: `[rows][stride]` floats; what fills up a row is zero.
#[derive(Debug)]
pub struct Buffer {
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) stride: usize,
    pub(crate) memory: Allocation,
}

impl Buffer {
    pub(crate) fn new(runtime: &Arc<dyn Runtime>, rows: usize, width: usize) -> Result<Self> {
        let stride = width.next_multiple_of(ALIGNMENT);
        let bytes = rows.checked_mul(stride).and_then(|floats| floats.checked_mul(4)).ok_or_else(too_large)?;
        Ok(Self { rows, width, stride, memory: Allocation::new(runtime, bytes)? })
    }

    pub(crate) fn address(&self) -> u64 {
        self.memory.address()
    }

    /// The bytes before a row.
    pub(crate) fn offset(&self, row: usize) -> usize {
        row * self.stride * size_of::<f32>()
    }
}

/// Floats one after the other.
#[derive(Debug)]
pub struct Vector(pub(crate) Allocation);

impl Vector {
    pub(crate) fn new(runtime: &Arc<dyn Runtime>, values: &[f32]) -> Result<Self> {
        let memory = Allocation::new(runtime, size_of_val(values))?;
        memory.write(0, bytes_of(values))?;
        Ok(Self(memory))
    }
}

/// What is the same on the device: every GPU of NVIDIA reads numbers in the order of this machine's, little-endian.
///
/// # Safety
/// It has no padding, and any bytes are a value of it.
pub(crate) unsafe trait Plain {}
// SAFETY: as it says.
unsafe impl Plain for u32 {}
// SAFETY: as it says.
unsafe impl Plain for f32 {}

/// Numbers as they lie in memory.
pub(crate) fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: there is no padding, so all bytes are initialised.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// Numbers as they lie in memory, to be overwritten.
pub(crate) fn bytes_of_mut<T: Plain>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and whatever is written is a value.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

/// What the kernels for weights of 8 bits divide them by (`F8` in `kernels/prelude.cuh`); the scales make up for it.
const F8_DIVISOR: f32 = 256.0;

/// Weights of one or more tensors, stacked: `[outputs][stride]`, and a bias where any of them has one.
#[derive(Debug)]
pub struct Matrix {
    /// The type in which they are multiplied: bf16 where they are kept in 8 bits.
    pub(crate) dtype: DType,
    pub(crate) inputs: usize,
    pub(crate) stride: usize,
    /// The outputs of each tensor.
    pub(crate) parts: Vec<usize>,
    pub(crate) elements: Allocation,
    pub(crate) bias: Option<Vector>,
    /// Of each output; there where weights are kept in 8 bits.
    pub(crate) scale: Option<Vector>,
}

impl Matrix {
    pub(crate) fn new(runtime: &Arc<dyn Runtime>, source: &MatrixSource<'_>) -> Result<Self> {
        let shape = |tensor: &Tensor| match *tensor.shape() {
            [outputs, inputs] => Ok((outputs, inputs)),
            ref other => Err(Error::internal(format!("a matrix of shape {other:?}"))),
        };
        let first = source.parts.first().ok_or_else(|| Error::internal("a matrix without parts"))?;
        let (_, inputs) = shape(first.weight)?;
        let (mut parts, mut bias, mut scale) = (Vec::new(), Vec::new(), Vec::new());
        for part in source.parts {
            let (outputs, width) = shape(part.weight)?;
            let unscaled = part.scale.is_some_and(|scale| scale.len() != outputs)
                || (source.dtype == DType::F8 && (part.scale.is_none() || part.weight.dtype() != DType::F8));
            if width != inputs || unscaled || part.bias.is_some_and(|bias| bias.len() != outputs) {
                return Err(Error::internal("the parts of a matrix do not fit together"));
            }
            bias.extend(part.bias.map_or_else(|| vec![0.0; outputs], Tensor::to_f32));
            scale.extend(part.scale.into_iter().flatten().map(|scale| scale * F8_DIVISOR));
            parts.push(outputs);
        }
        let stride = inputs.next_multiple_of(ALIGNMENT);
        let row_bytes = stride.checked_mul(source.dtype.size()).ok_or_else(too_large)?;
        let bytes = parts.iter().sum::<usize>().checked_mul(row_bytes).ok_or_else(too_large)?;
        let elements = Allocation::new(runtime, bytes)?;
        let mut offset = 0;
        for part in source.parts {
            copy(part, source.dtype, inputs, stride, &elements, offset)?;
            offset += part.weight.len() / inputs.max(1) * row_bytes;
        }
        let has_bias = source.parts.iter().any(|part| part.bias.is_some());
        let bias = has_bias.then(|| Vector::new(runtime, &bias)).transpose()?;
        // In any other type, the scales are in the weights.
        let scale = (source.dtype == DType::F8).then(|| Vector::new(runtime, &scale)).transpose()?;
        let dtype = if source.dtype == DType::F8 { DType::BF16 } else { source.dtype };
        Ok(Self { dtype, inputs, stride, parts, elements, bias, scale })
    }

    pub(crate) fn outputs(&self) -> usize {
        self.parts.iter().sum()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.elements.bytes()
    }

    pub(crate) fn bias(&self) -> u64 {
        self.bias.as_ref().map_or(0, |bias| bias.0.address())
    }

    pub(crate) fn scale(&self) -> u64 {
        self.scale.as_ref().map_or(0, |scale| scale.0.address())
    }
}

/// Copies a tensor: as it is where the device keeps it as the file does, else a few rows at a time.
fn copy(
    part: &MatrixPart<'_>,
    dtype: DType,
    inputs: usize,
    stride: usize,
    to: &Allocation,
    offset: usize,
) -> Result<()> {
    let tensor = part.weight;
    let unchanged = tensor.dtype() == dtype && (part.scale.is_none() || dtype == DType::F8);
    if unchanged && inputs == stride {
        return to.write(offset, tensor.bytes());
    }
    let (from_row, to_row) = (inputs * tensor.dtype().size(), stride * dtype.size());
    let rows = (PIECE / to_row.max(1)).max(1);
    for (index, piece) in tensor.bytes().chunks((rows * from_row).max(1)).enumerate() {
        let mut converted = Vec::with_capacity(piece.len().div_ceil(from_row.max(1)) * to_row);
        for (row, elements) in (index * rows..).zip(piece.chunks_exact(from_row)) {
            let scale = part.scale.and_then(|scale| scale.get(row)).copied().unwrap_or(1.0);
            converted.extend_from_slice(&convert(elements, tensor.dtype(), dtype, scale));
            converted.resize(converted.len().next_multiple_of(to_row), 0);
        }
        to.write(offset + index * rows * to_row, &converted)?;
    }
    Ok(())
}

/// Elements in another type, multiplied by their scale.
fn convert(bytes: &[u8], from: DType, to: DType, scale: f32) -> Cow<'_, [u8]> {
    if from == to && (scale == 1.0 || to == DType::F8) {
        return Cow::Borrowed(bytes);
    }
    let mut values: Vec<f32> = match from {
        DType::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        DType::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        DType::BF16 => bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
        DType::F8 => bytes.iter().map(|b| f8::widen(*b)).collect(),
    };
    values.iter_mut().for_each(|value| *value *= scale);
    Cow::Owned(match to {
        DType::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        DType::F16 => values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
        DType::BF16 => values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
        DType::F8 => values.iter().map(|x| f8::narrow(*x)).collect(),
    })
}

/// Keys and values of all layers: `[layer][keys, values][page][kv head][token of the page][element]`.
#[derive(Debug)]
pub struct KvCache {
    pub(crate) shape: KvShape,
    pub(crate) pages: usize,
    pub(crate) dtype: DType,
    memory: Allocation,
}

impl KvCache {
    pub(crate) fn new(runtime: &Arc<dyn Runtime>, shape: KvShape, pages: usize, dtype: DType) -> Result<Self> {
        let bytes =
            Self::page_bytes(&shape, dtype).checked_mul(pages as u64).and_then(|bytes| usize::try_from(bytes).ok());
        let memory = Allocation::new(runtime, bytes.ok_or_else(too_large)?)?;
        Ok(Self { shape, pages, dtype, memory })
    }

    /// Elements that a head takes.
    pub(crate) fn head_stride(shape: &KvShape) -> usize {
        shape.head_dim.next_multiple_of(ALIGNMENT)
    }

    /// Elements of a page of the keys, or of the values, of one layer.
    fn part_elements(shape: &KvShape) -> usize {
        shape.kv_heads * PAGE * Self::head_stride(shape)
    }

    /// Bytes of a page, over all layers.
    pub(crate) fn page_bytes(shape: &KvShape, dtype: DType) -> u64 {
        (2 * shape.layers * Self::part_elements(shape) * dtype.size()) as u64
    }

    /// Bytes of a page of the keys, or of the values, of one layer.
    pub(crate) fn part_bytes(&self) -> usize {
        Self::part_elements(&self.shape) * self.dtype.size()
    }

    pub(crate) fn address(&self) -> u64 {
        self.memory.address()
    }

    /// Where the keys and the values of a layer are.
    pub(crate) fn layer(&self, layer: usize) -> (u64, u64) {
        let part = (self.pages * self.part_bytes()) as u64;
        let keys = self.address() + 2 * layer as u64 * part;
        (keys, keys + part)
    }
}
