//! The device memory of a model: activations, weights, the KV cache.

use std::sync::Arc;

use jig_plugin_api::{Error, Result};
use jig_transformer::device::{KvShape, MatrixPart, MatrixSource};
use jig_transformer::weights::int4::Groups;
use jig_transformer::weights::scales::Scales;
use jig_transformer::{DType, Tensor};

use crate::kernels::LINEAR_MMA_ROWS;
use crate::runtime::{Allocation, Runtime};

/// Rows begin at multiples of this many elements, so that 16-byte loads along a row are aligned.
pub(crate) const ALIGNMENT: usize = 8;
/// The most rows that this crate's own kernels multiply. More rows are a product of the runtime, in 16 bits.
pub(crate) const MOST_ROWS_OF_KERNELS: usize = {
    let [.., (most, ..)] = LINEAR_MMA_ROWS;
    most
};

/// Tokens of a page; the kernels' `PAGE`.
pub(crate) const PAGE: usize = 16;

/// Bytes to convert at a time, if the device keeps a tensor in another type than the file.
const PIECE: usize = 8 << 20;

fn too_large() -> Error {
    Error::out_of_memory("a matrix is larger than any memory")
}

/// Activations: `[rows][stride]` floats, or 16-bit numbers if only products read them. Padding at the end of a row is
/// zero.
#[derive(Debug)]
pub struct Buffer {
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) stride: usize,
    pub(crate) memory: Allocation,
    /// The type of many rows: that of the matrices, if only products with those read the buffer.
    operand: DType,
}

impl Buffer {
    pub(crate) fn new(runtime: &Arc<dyn Runtime>, rows: usize, width: usize) -> Result<Self> {
        Self::kept_as(DType::F32, runtime, rows, width)
    }

    /// A buffer that only products with these matrices read. Its rows have the type of the matrices, unless the
    /// matrices differ in type, have reordered columns, or a row needs padding.
    pub(crate) fn operand(runtime: &Arc<dyn Runtime>, rows: usize, width: usize, matrices: &[&Matrix]) -> Result<Self> {
        let dtype = matrices.first().map_or(DType::F32, |first| first.dtype);
        let fits = |matrix: &&Matrix| matrix.dtype == dtype && matrix.order().is_none();
        let whole = width.is_multiple_of(ALIGNMENT) && matrices.iter().all(fits);
        Self::kept_as(if whole { dtype } else { DType::F32 }, runtime, rows, width)
    }

    fn kept_as(operand: DType, runtime: &Arc<dyn Runtime>, rows: usize, width: usize) -> Result<Self> {
        let stride = width.next_multiple_of(ALIGNMENT);
        let floats = if operand == DType::F32 { rows } else { rows.min(MOST_ROWS_OF_KERNELS).max(rows.div_ceil(2)) };
        let bytes = floats.checked_mul(stride).and_then(|floats| floats.checked_mul(4)).ok_or_else(too_large)?;
        Ok(Self { rows, width, stride, memory: Allocation::new(runtime, bytes)?, operand })
    }

    /// The type of `rows` rows: floats, if a kernel for few rows may read them.
    pub(crate) fn kept(&self, rows: usize) -> DType {
        if rows > MOST_ROWS_OF_KERNELS { self.operand } else { DType::F32 }
    }

    pub(crate) fn address(&self) -> u64 {
        self.memory.address()
    }

    /// The bytes before a row of floats.
    pub(crate) fn offset(&self, row: usize) -> usize {
        self.offset_of(row, DType::F32)
    }

    /// The bytes before a row of a type.
    pub(crate) fn offset_of(&self, row: usize, kept: DType) -> usize {
        row * self.stride * kept.bits() / 8
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

/// Types with the same bytes on the device: NVIDIA's GPUs are little-endian, as this machine is.
///
/// # Safety
/// It has no padding, and any bytes are a value of it.
pub(crate) unsafe trait Plain {}
// SAFETY: as it says.
unsafe impl Plain for u32 {}
// SAFETY: as it says.
unsafe impl Plain for f32 {}

/// Numbers as bytes.
pub(crate) fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: there is no padding, so all bytes are initialised.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// Numbers as bytes, to be overwritten.
pub(crate) fn bytes_of_mut<T: Plain>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and whatever is written is a value.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

/// The divisor that conversion of 8-bit weights implies in the kernels (`F8` in `kernels/prelude.cuh`); the scales
/// compensate for it.
const F8_DIVISOR: f32 = 256.0;

/// Scales of groups or blocks: a row of words for some outputs, each word for some inputs.
#[derive(Debug)]
pub(crate) struct Grouped {
    pub(crate) words: Allocation,
    /// Words of a row.
    pub(crate) stride: usize,
    /// Log2 of the outputs of a row.
    pub(crate) row_shift: u32,
    /// Log2 of the inputs of a word.
    pub(crate) shift: u32,
    /// For each column of the matrix, the input that it is multiplied with; `None` if column `i` belongs to input `i`.
    pub(crate) order: Option<Allocation>,
}

fn upload(runtime: &Arc<dyn Runtime>, words: &[u32]) -> Result<Allocation> {
    let memory = Allocation::new(runtime, size_of_val(words))?;
    memory.write(0, bytes_of(words))?;
    Ok(memory)
}

impl Grouped {
    /// The groups of stacked tensors, which are alike: words of [`Groups::all`].
    fn of_groups(runtime: &Arc<dyn Runtime>, groups: &[&Groups]) -> Result<Option<Self>> {
        let Some(first) = groups.first() else { return Ok(None) };
        let words: Vec<u32> = groups.iter().flat_map(|groups| groups.all()).map(|group| group.bits()).collect();
        let order = first.order().map(|order| upload(runtime, order)).transpose()?;
        let (stride, shift) = (first.of_output(), first.size().trailing_zeros());
        Ok(Some(Self { words: upload(runtime, &words)?, stride, row_shift: 0, shift, order }))
    }

    /// The scales of stacked tensors with their numbers of outputs, as `f32` words, in the largest blocks that divide
    /// the blocks of all tensors.
    fn of_blocks(runtime: &Arc<dyn Runtime>, scales: &[(&Scales, usize)], inputs: usize) -> Result<Self> {
        let (mut of_outputs, mut of_inputs, mut first) = (usize::MAX, usize::MAX, 0usize);
        for (scales, outputs) in scales {
            let [outputs_of_block, inputs_of_block] = scales.block();
            let start = if first == 0 { usize::MAX } else { 1 << first.trailing_zeros() };
            of_outputs = of_outputs.min(outputs_of_block).min(start);
            of_inputs = of_inputs.min(inputs_of_block);
            first += outputs;
        }
        let stride = inputs.div_ceil(of_inputs);
        let mut words = Vec::new();
        for (scales, outputs) in scales {
            for output in (0..*outputs).step_by(of_outputs) {
                let row = scales.of_output(output);
                let scale = |block: usize| row.get(block * of_inputs / scales.block()[1]).copied().unwrap_or_default();
                words.extend((0..stride).map(|block| (scale(block) * F8_DIVISOR).to_bits()));
            }
        }
        let (row_shift, shift) = (of_outputs.trailing_zeros(), of_inputs.trailing_zeros());
        Ok(Self { words: upload(runtime, &words)?, stride, row_shift, shift, order: None })
    }

    fn bytes(&self) -> usize {
        self.words.bytes() + self.order.as_ref().map_or(0, Allocation::bytes)
    }
}

/// The inputs of a matrix whose parts fit together.
fn checked_inputs(source: &MatrixSource<'_>) -> Result<usize> {
    let shape = |tensor: &Tensor| match *tensor.shape() {
        [outputs, inputs] => Ok((outputs, inputs)),
        ref other => Err(Error::internal(format!("a matrix of shape {other:?}"))),
    };
    let first = source.parts.first().ok_or_else(|| Error::internal("a matrix without parts"))?;
    let (_, inputs) = shape(first.weight)?;
    let in_4_bits = source.dtype == DType::I4;
    for part in source.parts {
        let (outputs, width) = shape(part.weight)?;
        let grouped = match part.groups {
            Some(groups) => part.weight.dtype() == DType::I4 && groups.fit(outputs, width),
            None => part.weight.dtype() != DType::I4 && !in_4_bits,
        };
        let alike = match (first.groups, part.groups) {
            (Some(first), Some(groups)) => first.alike(groups),
            _ => !in_4_bits,
        };
        if !grouped || (in_4_bits && !alike) {
            return Err(Error::internal("the parts of a matrix in 4 bits have other groups than their shapes"));
        }
        let unscaled = part.scale.is_some_and(|scale| !scale.fit(outputs, width))
            || (source.dtype == DType::F8 && (part.scale.is_none() || part.weight.dtype() != DType::F8));
        if width != inputs || unscaled || part.bias.is_some_and(|bias| bias.len() != outputs) {
            return Err(Error::internal("the parts of a matrix do not fit together"));
        }
    }
    Ok(inputs)
}

/// The biases of the parts, zero for those without one; `None` if none has one.
fn stacked_bias(runtime: &Arc<dyn Runtime>, source: &MatrixSource<'_>, outputs: &[usize]) -> Result<Option<Vector>> {
    if source.parts.iter().all(|part| part.bias.is_none()) {
        return Ok(None);
    }
    let biases = source.parts.iter().zip(outputs);
    let biases = biases.flat_map(|(part, outputs)| part.bias.map_or_else(|| vec![0.0; *outputs], Tensor::to_f32));
    Vector::new(runtime, &biases.collect::<Vec<_>>()).map(Some)
}

/// The scales of weights that are kept in few bits: one for each output, or words for groups or blocks.
fn scales_and_groups(
    runtime: &Arc<dyn Runtime>,
    source: &MatrixSource<'_>,
    outputs: &[usize],
    inputs: usize,
) -> Result<(Option<Vector>, Option<Grouped>)> {
    let parts = source.parts.iter().zip(outputs);
    let scales: Vec<_> = parts.filter_map(|(part, outputs)| Some((part.scale?, *outputs))).collect();
    let in_blocks = scales.iter().any(|(scales, _)| scales.block()[1] < inputs);
    match source.dtype {
        DType::I4 => {
            let all: Vec<_> = source.parts.iter().filter_map(|part| part.groups).collect();
            Ok((None, Grouped::of_groups(runtime, &all)?))
        }
        DType::F8 if in_blocks => Ok((None, Some(Grouped::of_blocks(runtime, &scales, inputs)?))),
        DType::F8 => {
            let of_outputs = |(scales, outputs): &(&Scales, usize)| -> Vec<f32> {
                (0..*outputs).filter_map(|output| scales.of_output(output).first()).map(|x| x * F8_DIVISOR).collect()
            };
            let all: Vec<f32> = scales.iter().flat_map(of_outputs).collect();
            Ok((Some(Vector::new(runtime, &all)?), None))
        }
        // In any other type, the scales are multiplied into the weights.
        _ => Ok((None, None)),
    }
}

/// Weights of one or more tensors, stacked: `[outputs][stride]`, and a bias where any of them has one.
#[derive(Debug)]
pub struct Matrix {
    /// The type in which they are kept.
    pub(crate) kept: DType,
    /// The type in which they are multiplied: bf16 for 8-bit weights, that of the scales for 4-bit weights.
    pub(crate) dtype: DType,
    pub(crate) inputs: usize,
    pub(crate) stride: usize,
    /// The outputs of each tensor.
    pub(crate) parts: Vec<usize>,
    pub(crate) elements: Allocation,
    pub(crate) bias: Option<Vector>,
    /// One for each output; `Some` for 8-bit weights without blocks.
    pub(crate) scale: Option<Vector>,
    /// `Some` for 4-bit weights, and for 8-bit weights with a scale for each block.
    pub(crate) groups: Option<Grouped>,
}

impl Matrix {
    pub(crate) fn new(runtime: &Arc<dyn Runtime>, source: &MatrixSource<'_>) -> Result<Self> {
        let inputs = checked_inputs(source)?;
        let outputs = |part: &MatrixPart<'_>| part.weight.shape().first().copied().unwrap_or(0);
        let parts: Vec<usize> = source.parts.iter().map(outputs).collect();
        let stride = inputs.next_multiple_of(ALIGNMENT);
        let row_bytes = source.dtype.bytes(stride).ok_or_else(too_large)?;
        let bytes = parts.iter().sum::<usize>().checked_mul(row_bytes).ok_or_else(too_large)?;
        // The kernels for weights with groups or blocks index units of eight numbers in 32 bits.
        let few_bits = matches!(source.dtype, DType::F8 | DType::I4);
        if few_bits && u32::try_from(bytes / source.dtype.bits()).is_err() {
            return Err(too_large());
        }
        let elements = Allocation::new(runtime, bytes)?;
        let mut offset = 0;
        for part in source.parts {
            copy(part, source.dtype, inputs, stride, &elements, offset)?;
            offset += part.weight.len() / inputs.max(1) * row_bytes;
        }
        let dtype = match source.dtype {
            DType::F8 => DType::BF16,
            DType::I4 => source.parts.iter().find_map(|part| part.groups).map_or(DType::F16, Groups::dtype),
            dtype => dtype,
        };
        let bias = stacked_bias(runtime, source, &parts)?;
        let (scale, groups) = scales_and_groups(runtime, source, &parts, inputs)?;
        Ok(Self { kept: source.dtype, dtype, inputs, stride, parts, elements, bias, scale, groups })
    }

    pub(crate) fn outputs(&self) -> usize {
        self.parts.iter().sum()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.elements.bytes() + self.groups.as_ref().map_or(0, Grouped::bytes)
    }

    /// Whether weights are kept in fewer bits than they are multiplied in.
    pub(crate) fn is_quantized(&self) -> bool {
        matches!(self.kept, DType::F8 | DType::I4)
    }

    /// The address of [`Grouped::order`], if there is one.
    pub(crate) fn order(&self) -> Option<u64> {
        Some(self.groups.as_ref()?.order.as_ref()?.address())
    }

    pub(crate) fn bias(&self) -> u64 {
        self.bias.as_ref().map_or(0, |bias| bias.0.address())
    }

    pub(crate) fn scale(&self) -> u64 {
        self.scale.as_ref().map_or(0, |scale| scale.0.address())
    }
}

/// Uploads a tensor: directly if the device keeps the type of the file, or else converted a few rows at a time.
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
    let bytes = |dtype: DType, elements| dtype.bytes(elements).ok_or_else(too_large);
    let (from_row, to_row) = (bytes(tensor.dtype(), inputs)?, bytes(dtype, stride)?);
    let rows = (PIECE / to_row.max(1)).max(1);
    let mut values = vec![0.0; inputs];
    for (index, piece) in tensor.bytes().chunks((rows * from_row).max(1)).enumerate() {
        let mut converted = Vec::with_capacity(piece.len().div_ceil(from_row.max(1)) * to_row);
        for (row, elements) in (index * rows..).zip(piece.chunks_exact(from_row)) {
            if unchanged {
                converted.extend_from_slice(elements);
            } else {
                part.widen(row, elements, &mut values);
                converted.extend_from_slice(&dtype.narrow(&values));
            }
            converted.resize(converted.len().next_multiple_of(to_row), 0);
        }
        to.write(offset + index * rows * to_row, &converted)?;
    }
    Ok(())
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
        // The kernels index units of 16 bytes of a layer's keys, or values, in 32 bits.
        let pieces = Self::part_elements(&shape).checked_mul(pages).map(|elements| elements * dtype.bits() / 8 / 16);
        if pieces.is_none_or(|pieces| u32::try_from(pieces).is_err()) {
            return Err(Error::out_of_memory("the keys of a layer take more than 64 GiB; set a smaller KV cache"));
        }
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
        (2 * shape.layers * Self::part_elements(shape) * dtype.bits() / 8) as u64
    }

    /// Bytes of a page of the keys, or of the values, of one layer.
    pub(crate) fn part_bytes(&self) -> usize {
        Self::part_elements(&self.shape) * self.dtype.bits() / 8
    }

    pub(crate) fn address(&self) -> u64 {
        self.memory.address()
    }

    /// The addresses of the keys and of the values of a layer.
    pub(crate) fn layer(&self, layer: usize) -> (u64, u64) {
        let part = (self.pages * self.part_bytes()) as u64;
        let keys = self.address() + 2 * layer as u64 * part;
        (keys, keys + part)
    }
}
