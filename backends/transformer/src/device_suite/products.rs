//! Products with matrices of weights, and what follows them.

use super::{Found, Suite, Tolerance, compare, filled, numbers, read, reference};
use crate::device::{Activation, Device, Epilogue, MatrixPart, MatrixSource};
use crate::weights::{DType, Tensor};

const TYPES: [DType; 4] = [DType::F32, DType::F16, DType::BF16, DType::F8];
const ACTIVATIONS: [Activation; 4] = [Activation::Relu, Activation::Silu, Activation::Gelu, Activation::GeluTanh];

pub(super) fn cases<D: Device>(suite: &mut Suite<'_, D>) {
    for dtype in TYPES {
        for inputs in [7, 32, 100, 1030] {
            for rows in [1, 2, 3, 5, 8, 16, 33] {
                let name = format!("linear, {dtype}, {rows} rows of {inputs}");
                suite.case(name, |device, tolerance| linear(device, tolerance, dtype, rows, inputs, Epilogue::None));
            }
        }
    }
    for activation in ACTIVATIONS {
        for epilogue in [Epilogue::Activate(activation), Epilogue::Gate(activation)] {
            for (dtype, rows) in [(DType::BF16, 1), (DType::BF16, 19), (DType::F8, 1), (DType::F8, 19)] {
                let name = format!("linear, {epilogue:?}, {dtype}, {rows} rows");
                suite.case(name, |device, tolerance| linear(device, tolerance, dtype, rows, 48, epilogue));
            }
        }
    }
    if suite.tolerance.same_bits_in_any_batch {
        for dtype in TYPES {
            let name = format!("linear, {dtype}: a row has the same bits in any batch");
            suite.case(name, |device, _| same_bits(device, dtype));
        }
    }
}

/// A matrix of several parts, with and without biases, and with scales where weights have 8 bits.
struct Weights {
    parts: Vec<(Tensor, Option<Tensor>, Option<Vec<f32>>)>,
}

impl Weights {
    fn new(outputs: &[usize], inputs: usize, dtype: DType) -> Self {
        let stored = if dtype == DType::F8 { dtype } else { DType::BF16 };
        let part = |(index, outputs): (usize, &usize)| {
            let seed = 10 + 2 * index as u64;
            let weight = Tensor::from_values(stored, &[*outputs, inputs], &numbers(outputs * inputs, seed));
            let bias = Tensor::from_values(DType::BF16, &[*outputs], &numbers(*outputs, seed + 1));
            // Powers of two, with which the weights are exact in 16 bits as well.
            let scale = (0..*outputs).map(|output| 2f32.powi((output % 7) as i32 - 3));
            (weight, (index % 2 == 0).then_some(bias), (dtype == DType::F8).then(|| scale.collect()))
        };
        Self { parts: outputs.iter().enumerate().map(part).collect() }
    }

    fn upload<D: Device>(&self, device: &D, dtype: DType) -> jig_plugin_api::Result<D::Matrix> {
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|(weight, bias, scale)| MatrixPart { weight, bias: bias.as_ref(), scale: scale.as_deref() })
            .collect();
        device.matrix(&MatrixSource { parts: &parts, dtype })
    }

    /// Each part's product with a row.
    fn times(&self, x: &[f32]) -> Vec<Vec<f64>> {
        let product = |(weight, bias, scale): &(Tensor, Option<Tensor>, Option<Vec<f32>>)| {
            let mut values = weight.to_f32();
            for (row, scale) in values.chunks_mut(x.len()).zip(scale.iter().flatten()) {
                row.iter_mut().for_each(|value| *value *= scale);
            }
            reference::product(&values, x.len(), bias.as_ref().map(Tensor::to_f32).as_deref(), x)
        };
        self.parts.iter().map(product).collect()
    }
}

fn linear<D: Device>(
    device: &D,
    tolerance: Tolerance,
    dtype: DType,
    rows: usize,
    inputs: usize,
    epilogue: Epilogue,
) -> Found {
    let outputs: &[usize] = if matches!(epilogue, Epilogue::Gate(_)) { &[70, 70] } else { &[65, 1, 130] };
    let weights = Weights::new(outputs, inputs, dtype);
    let x = numbers(rows * inputs, 20);
    let right: Vec<Vec<f64>> = x
        .chunks_exact(inputs)
        .map(|x| match (epilogue, weights.times(x)) {
            (Epilogue::Gate(f), products) => {
                products[0].iter().zip(&products[1]).map(|(a, b)| reference::activation(f, *a) * b).collect()
            }
            (Epilogue::Activate(f), products) => {
                products.concat().iter().map(|a| reference::activation(f, *a)).collect()
            }
            (Epilogue::None, products) => products.concat(),
        })
        .collect();
    let matrix = weights.upload(device, dtype)?;
    let (x, out) = (filled(device, inputs, &x)?, device.buffer(rows + 1, right[0].len())?);
    device.linear(rows, &x, &matrix, epilogue, &out)?;
    let problem = compare(tolerance, &read(device, &out, rows)?, &right);
    let past = device.read_row(&out, rows)?.iter().any(|x| *x != 0.0);
    Ok(problem.or(past.then(|| "a row past the last was written to".to_owned())))
}

fn same_bits<D: Device>(device: &D, dtype: DType) -> Found {
    let (rows, inputs) = (40, 1030);
    let weights = Weights::new(&[65, 130], inputs, dtype);
    let matrix = weights.upload(device, dtype)?;
    let x = numbers(rows * inputs, 21);
    let out = device.buffer(rows, 195)?;
    let mut alone = Vec::new();
    for x in x.chunks_exact(inputs) {
        device.linear(1, &filled(device, inputs, x)?, &matrix, Epilogue::None, &out)?;
        alone.push(device.read_row(&out, 0)?);
    }
    for count in [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15, 16, 17, 24, 31, 40] {
        let batch = filled(device, inputs, &x[..count * inputs])?;
        device.linear(count, &batch, &matrix, Epilogue::None, &out)?;
        if let Some(row) =
            (0..count).zip(read(device, &out, count)?).find_map(|(row, x)| (x != alone[row]).then_some(row))
        {
            return Ok(Some(format!("row {row} of {count} differs from the same row alone")));
        }
    }
    Ok(None)
}
