//! [`Product`]: a matrix product, as cuBLASLt computes it.

use half::{bf16, f16};

/// A type of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32 bits.
    F32,
    /// 16 bits, of which 5 are the exponent.
    F16,
    /// The upper 16 bits of a float.
    Bf16,
}

impl Element {
    /// Bytes of an element.
    #[must_use]
    pub fn bytes(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// # Safety
    /// There is such an element.
    unsafe fn read(self, from: u64, index: usize) -> f32 {
        // SAFETY: the caller promises it; addresses are aligned for their types.
        unsafe {
            match self {
                Self::F32 => *(from as *const f32).add(index),
                Self::F16 => f16::from_bits(*(from as *const u16).add(index)).to_f32(),
                Self::Bf16 => bf16::from_bits(*(from as *const u16).add(index)).to_f32(),
            }
        }
    }
}

/// `out[r][o] = sum over i of x[r][i] * weight[o][i]`, with sums and results in `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// Of x and of the weights.
    pub element: Element,
    /// Rows of x.
    pub rows: usize,
    /// Rows of the weights.
    pub outputs: usize,
    /// Elements of a row of x and of the weights.
    pub inputs: usize,
    /// Floats from a row of the result to the next.
    pub out_stride: usize,
    /// Address of `[rows][inputs]`.
    pub x: u64,
    /// Address of `[outputs][inputs]`.
    pub weight: u64,
    /// Address of `[rows][out_stride]` floats.
    pub out: u64,
}

impl Product {
    /// Computes it.
    ///
    /// # Safety
    /// The addresses have the memory that the shape says.
    pub unsafe fn compute(&self) {
        let Self { element, rows, outputs, inputs, out_stride, x, weight, out } = *self;
        for row in 0..rows {
            // SAFETY: the caller promises the memory.
            let read = |from, index| unsafe { element.read(from, index) };
            let x: Vec<_> = (0..inputs).map(|i| read(x, row * inputs + i)).collect();
            for output in 0..outputs {
                let sum: f32 = x.iter().enumerate().map(|(i, x)| x * read(weight, output * inputs + i)).sum();
                // SAFETY: as above.
                unsafe { *(out as *mut f32).add(row * out_stride + output) = sum };
            }
        }
    }
}
