//! [`Matrix`]: weights as they are stored, row by row.

use half::{bf16, f16};
use jig_plugin_api::{Error, Result};
use jig_transformer::device::{MatrixPart, MatrixSource};
use jig_transformer::weights::int4::Groups;
use jig_transformer::{DType, Tensor};

use crate::int4::Int4;
use crate::matmul::{self, Weights};
use crate::memory::Memory;
use crate::threads::Threads;

/// Weights `[outputs, inputs]`: one or more tensors that are multiplied with the same rows.
///
/// They are copied out of the mapped file into huge pages, which stream faster. Truncating the file then can't crash
/// the process.
#[derive(Debug)]
pub struct Matrix {
    dtype: DType,
    pub(crate) inputs: usize,
    pub(crate) parts: Vec<Part>,
}

/// One of the tensors.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) outputs: usize,
    pub(crate) bias: Option<Vec<f32>>,
    elements: Memory,
    /// `Some` for 4-bit weights.
    groups: Option<Groups>,
}

impl Matrix {
    pub(crate) fn new(source: &MatrixSource<'_>, threads: &Threads) -> Result<Self> {
        let shape = |tensor: &Tensor| match *tensor.shape() {
            [outputs, inputs] => Ok((outputs, inputs)),
            ref other => Err(Error::internal(format!("a matrix of shape {other:?}"))),
        };
        let first = source.parts.first().ok_or_else(|| Error::internal("a matrix without parts"))?;
        let (_, inputs) = shape(first.weight)?;
        // 8-bit weights are kept in bf16, with their scales multiplied in.
        let dtype = if source.dtype == DType::F8 { DType::BF16 } else { source.dtype };
        let mut parts = Vec::with_capacity(source.parts.len());
        for part in source.parts {
            let (outputs, width) = shape(part.weight)?;
            let bias = part.bias.map(Tensor::to_f32);
            if width != inputs || bias.as_ref().is_some_and(|bias| bias.len() != outputs) {
                return Err(Error::internal("the parts of a matrix do not fit together"));
            }
            if part.scale.is_some_and(|scale| !scale.fit(outputs, inputs)) {
                return Err(Error::internal("a matrix has other scales than its shape"));
            }
            let in_4_bits = part.weight.dtype() == DType::I4;
            let grouped = part.groups.map_or(!in_4_bits, |groups| in_4_bits && groups.fit(outputs, inputs));
            if !grouped || (dtype == DType::I4 && !in_4_bits) {
                return Err(Error::internal("a matrix in 4 bits has other groups than its shape"));
            }
            let elements = copy(part, dtype, threads)?;
            let groups = part.groups.filter(|_| dtype == DType::I4).cloned();
            parts.push(Part { outputs, bias, elements, groups });
        }
        let mut groups = parts.iter().filter_map(|part| part.groups.as_ref());
        if let Some(first) = groups.next()
            && !groups.all(|groups| groups.alike(first))
        {
            return Err(Error::internal("the parts of a matrix in 4 bits have different groups"));
        }
        Ok(Self { dtype, inputs, parts })
    }

    /// The outputs of all parts.
    pub(crate) fn outputs(&self) -> usize {
        self.parts.iter().map(|part| part.outputs).sum()
    }

    /// Bytes of the weights, and of the groups of weights in 4 bits.
    pub(crate) fn bytes(&self) -> usize {
        let groups = |part: &Part| part.groups.as_ref().map_or(0, |groups| size_of_val(groups.all()));
        self.parts.iter().map(|part| part.elements.bytes() + groups(part)).sum()
    }

    /// For each column, the input that it is multiplied with; `None` if column `i` belongs to input `i`.
    pub(crate) fn order(&self) -> Option<&[u32]> {
        self.parts.first()?.groups.as_ref()?.order().map(|order| &order[..])
    }

    /// A part, as [`matmul`] takes it.
    pub(crate) fn weights<'a>(&self, part: &'a Part) -> matmul::Matrix<'a> {
        matmul::Matrix { weights: self.elements(part), bias: part.bias.as_deref() }
    }

    fn elements<'a>(&self, part: &'a Part) -> Weights<'a> {
        let halves = || {
            // SAFETY: a page is aligned for them, any bits are a value, and nobody writes to weights once they are copied.
            unsafe { std::slice::from_raw_parts(part.elements.pointer().cast::<u16>(), part.elements.bytes() / 2) }
        };
        match self.dtype {
            // SAFETY: nobody writes to weights once they are copied.
            DType::F32 => Weights::F32(unsafe { part.elements.as_floats() }),
            DType::F16 => Weights::F16(halves()),
            DType::BF16 | DType::F8 | DType::I4 => match &part.groups {
                None => Weights::BF16(halves()),
                Some(groups) => {
                    let (at, bytes) = (part.elements.pointer().cast_const(), part.elements.bytes());
                    // SAFETY: any bits are a value, and nobody writes to weights once they are copied.
                    Weights::I4(Int4 { packed: unsafe { std::slice::from_raw_parts(at, bytes) }, groups })
                }
            },
        }
    }

    /// A row of the first part: of an embedding table, the vector of an id.
    ///
    /// # Panics
    /// If there is no such row, or `into` is longer than it.
    pub(crate) fn read_row(&self, row: usize, into: &mut [f32]) {
        let first = row * self.inputs;
        let range = first..first + into.len();
        match self.parts.first().map(|part| self.elements(part)) {
            None => {}
            Some(Weights::F32(values)) => into.copy_from_slice(&values[range]),
            Some(Weights::F16(bits)) => {
                into.iter_mut().zip(&bits[range]).for_each(|(to, bits)| *to = f16::from_bits(*bits).to_f32());
            }
            Some(Weights::BF16(bits)) => {
                into.iter_mut().zip(&bits[range]).for_each(|(to, bits)| *to = bf16::from_bits(*bits).to_f32());
            }
            Some(Weights::I4(Int4 { packed, groups })) => {
                let mut values = vec![0.0; self.inputs];
                groups.widen(row, &packed[first / 2..][..self.inputs / 2], &mut values);
                into.copy_from_slice(&values[..into.len()]);
            }
        }
    }
}

/// Converts a tensor's elements to a type, with their scales.
fn copy(part: &MatrixPart<'_>, dtype: DType, threads: &Threads) -> Result<Memory> {
    /// Elements of a piece of work.
    const PIECE: usize = 1 << 18;
    let (tensor, inputs) = (part.weight, part.weight.shape().last().copied().unwrap_or(1).max(1));
    let bytes = dtype.bytes(tensor.len()).ok_or_else(|| Error::out_of_memory("a matrix is too large"))?;
    let (memory, stored) = (Memory::new(bytes)?, tensor.dtype());
    // Whole outputs, because groups and scales belong to outputs.
    let rows = (PIECE / inputs).max(1);
    threads.each(tensor.len().div_ceil(rows * inputs), usize::MAX, |piece| {
        let first = piece * rows;
        let elements = first * inputs..tensor.len().min((first + rows) * inputs);
        let place = |dtype: DType, elements: usize| elements * dtype.bits() / 8;
        let Some(from) = tensor.bytes().get(place(stored, elements.start)..place(stored, elements.end)) else {
            return;
        };
        // SAFETY: each piece writes to its own elements, which lie inside of the memory.
        let to = unsafe {
            let at = memory.pointer().add(place(dtype, elements.start));
            std::slice::from_raw_parts_mut(at, place(dtype, elements.len()))
        };
        if stored == dtype && part.scale.is_none() && cfg!(target_endian = "little") {
            to.copy_from_slice(from);
            return;
        }
        let mut values = vec![0.0; inputs];
        let outputs = from.chunks_exact(place(stored, inputs)).zip(to.chunks_exact_mut(place(dtype, inputs)));
        for (output, (from, to)) in (first..).zip(outputs) {
            part.widen(output, from, &mut values);
            let places = to.chunks_exact_mut(dtype.bits() / 8).zip(&values);
            match dtype {
                DType::F32 => places.for_each(|(to, value)| to.copy_from_slice(&value.to_ne_bytes())),
                DType::F16 => places.for_each(|(to, value)| to.copy_from_slice(&f16::from_f32(*value).to_ne_bytes())),
                DType::BF16 | DType::F8 | DType::I4 => {
                    places.for_each(|(to, value)| to.copy_from_slice(&bf16::from_f32(*value).to_ne_bytes()));
                }
            }
        }
    });
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_gives_its_rows_back_in_every_type() {
        let threads = Threads::new(Some(2)).expect("threads");
        let values: Vec<f32> = (0..350).map(|i| (i % 251) as f32 - 125.0).collect();
        for stored in [DType::F32, DType::F16, DType::BF16] {
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                let weight = Tensor::from_values(stored, &[70, 5], &values);
                let parts = [MatrixPart { weight: &weight, bias: None, scale: None, groups: None }];
                let matrix = Matrix::new(&MatrixSource { parts: &parts, dtype }, &threads).expect("copied");
                let mut row = [0.0; 5];
                matrix.read_row(69, &mut row);
                assert_eq!(row[..], values[345..], "{stored} as {dtype}");
                assert_eq!(matrix.bytes(), 350 * dtype.bits() / 8);
            }
        }
    }
}
