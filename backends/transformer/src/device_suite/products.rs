//! Products with matrices of weights, and their epilogues.

use std::sync::Arc;

use super::reference;
use super::suite::{Found, Suite, Tolerance, compare, filled, numbers, read};
use crate::device::{Activation, Device, Epilogue, MatrixPart, MatrixSource};
use crate::weights::int4::{Group, Groups};
use crate::weights::scales::Scales;
use crate::weights::{DType, Tensor};

const TYPES: [DType; 5] = [DType::F32, DType::F16, DType::BF16, DType::F8, DType::I4];
const ACTIVATIONS: [Activation; 4] = [Activation::Relu, Activation::Silu, Activation::Gelu, Activation::GeluTanh];

pub(super) fn cases<D: Device>(suite: &mut Suite<'_, D>) {
    for dtype in TYPES {
        // Rows of 4-bit weights have a multiple of eight inputs.
        let widths = if dtype == DType::I4 { [8, 32, 104, 1040] } else { [7, 32, 100, 1030] };
        for inputs in widths {
            for rows in [1, 2, 3, 5, 8, 16, 33] {
                let name = format!("linear, {dtype}, {rows} rows of {inputs}");
                suite.case(name, |device, tolerance| linear(device, tolerance, dtype, rows, inputs, Epilogue::None));
            }
        }
    }
    for activation in ACTIVATIONS {
        for epilogue in [Epilogue::Activate(activation), Epilogue::Gate(activation)] {
            for dtype in [DType::BF16, DType::F8, DType::I4] {
                for rows in [1, 19] {
                    let name = format!("linear, {epilogue:?}, {dtype}, {rows} rows");
                    suite.case(name, |device, tolerance| linear(device, tolerance, dtype, rows, 48, epilogue));
                }
            }
        }
    }
    few_bits_cases(suite);
    wide_cases(suite);
    if suite.tolerance.same_bits_in_any_batch {
        for dtype in TYPES {
            let name = format!("linear, {dtype}: a row has the same bits in any batch");
            suite.case(name, |device, _| same_bits(device, dtype));
        }
    }
}

/// The numbers of rows, without an epilogue.
fn plain(rows: &[usize]) -> Vec<(usize, Epilogue)> {
    rows.iter().map(|rows| (*rows, Epilogue::None)).collect()
}

/// The numbers of rows, gated.
fn gates(rows: [usize; 2]) -> [(usize, Epilogue); 2] {
    rows.map(|rows| (rows, Epilogue::Gate(Activation::Silu)))
}

/// Weights that have groups, or scales for blocks.
fn few_bits_cases<D: Device>(suite: &mut Suite<'_, D>) {
    for dtype in TYPES.into_iter().filter(|dtype| *dtype != DType::F8) {
        for ordered in [false, true] {
            for rows in [1, 6, 16, 19, 70] {
                let order = if ordered { "by groups" } else { "as they are" };
                for inputs in [136, 448] {
                    let name = format!("linear, i4 kept in {dtype}, {inputs} inputs {order}, {rows} rows");
                    suite.case(name, |device, tolerance| of_four_bits(device, tolerance, dtype, ordered, rows, inputs));
                }
            }
        }
    }
    for sizes in [&[[1, 8]][..], &[[8, 16]], &[[128, 128]], &[[16, 64], [8, 128], [1, 256]]] {
        for inputs in [100, 264, 448] {
            for (rows, epilogue) in plain(&[1, 2, 4, 7, 16, 19]).into_iter().chain(gates([1, 19])) {
                let name = format!("linear, f8 in blocks of {sizes:?}, {epilogue:?}, {rows} rows of {inputs}");
                suite.case(name, |device, tolerance| {
                    of_blocks(device, tolerance, sizes, DType::F8, rows, inputs, epilogue)
                });
            }
        }
    }
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let name = format!("linear, f8 in blocks, kept in {dtype}");
        suite.case(name, |device, tolerance| {
            of_blocks(device, tolerance, &[[16, 32], [8, 16]], dtype, 5, 100, Epilogue::None)
        });
    }
}

/// Widths of real models, for which some devices have other kernels.
fn wide_cases<D: Device>(suite: &mut Suite<'_, D>) {
    for dtype in [DType::F16, DType::BF16, DType::F8, DType::I4] {
        for (inputs, rows) in [(256, &[1, 5, 8, 9, 64, 65][..]), (448, &[2, 4, 12, 16, 17, 40]), (1088, &[3, 7, 20])] {
            for (rows, epilogue) in plain(rows).into_iter().chain(gates([6, 21])) {
                let name = format!("linear, {epilogue:?}, {dtype}, {rows} rows of {inputs}");
                suite.case(name, |device, tolerance| linear(device, tolerance, dtype, rows, inputs, epilogue));
            }
        }
    }
    for dtype in TYPES {
        for rows in [1, 4, 5, 13, 16] {
            let name = format!("linear, {dtype}, {rows} rows of 448 numbers of 24 bits");
            suite.case(name, |device, tolerance| of_long_numbers(device, tolerance, dtype, rows));
        }
    }
}

/// A matrix of several parts, with and without biases, and with scales or groups where weights have few bits.
pub(super) struct Weights {
    parts: Vec<Part>,
}

struct Part {
    weight: Tensor,
    bias: Option<Tensor>,
    scale: Option<Scales>,
    groups: Option<Groups>,
}

impl Part {
    fn uploaded(&self) -> MatrixPart<'_> {
        let Self { weight, bias, scale, groups } = self;
        MatrixPart { weight, bias: bias.as_ref(), scale: scale.as_ref(), groups: groups.as_ref() }
    }
}

impl Weights {
    pub(super) fn new(outputs: &[usize], inputs: usize, dtype: DType) -> Self {
        let stored = if matches!(dtype, DType::F8 | DType::I4) { dtype } else { DType::BF16 };
        let part = |(index, outputs): (usize, &usize)| {
            let seed = 10 + 2 * index as u64;
            let mut values = numbers(outputs * inputs, seed);
            if dtype == DType::I4 {
                values.iter_mut().for_each(|x| *x = ((*x + 1.0) * 8.0).clamp(0.0, 15.0).floor());
            }
            let weight = Tensor::from_values(stored, &[*outputs, inputs], &values);
            let bias = Tensor::from_values(DType::BF16, &[*outputs], &numbers(*outputs, seed + 1));
            Part {
                weight,
                bias: (index % 2 == 0).then_some(bias),
                scale: (dtype == DType::F8).then(|| Scales::of_outputs((0..*outputs).map(power).collect(), inputs)),
                groups: (dtype == DType::I4).then(|| groups(*outputs, inputs, None)),
            }
        };
        Self { parts: outputs.iter().enumerate().map(part).collect() }
    }

    /// With reordered columns.
    fn ordered(mut self, inputs: usize) -> Self {
        let order: Arc<[u32]> = (0..inputs).map(|column| (column * 5 % inputs) as u32).collect();
        for part in &mut self.parts {
            part.groups = Some(groups(part.weight.shape()[0], inputs, Some(Arc::clone(&order))));
        }
        self
    }

    /// Gives each part scales for blocks; parts take the sizes in turn.
    fn in_blocks(mut self, sizes: &[[usize; 2]], inputs: usize) -> Self {
        for (part, block) in self.parts.iter_mut().zip(sizes.iter().cycle()) {
            let blocks = part.weight.shape()[0].div_ceil(block[0]) * inputs.div_ceil(block[1]);
            part.scale = Scales::of_blocks(*block, (0..blocks).map(power).collect(), inputs);
        }
        self
    }

    pub(super) fn upload<D: Device>(&self, device: &D, dtype: DType) -> jig_plugin_api::Result<D::Matrix> {
        let parts: Vec<_> = self.parts.iter().map(Part::uploaded).collect();
        device.matrix(&MatrixSource { parts: &parts, dtype })
    }

    /// Each part's product with a row.
    fn times(&self, x: &[f32]) -> Vec<Vec<f64>> {
        let product = |Part { weight, bias, scale, groups }: &Part| {
            let mut values = weight.to_f32();
            for (output, row) in values.chunks_mut(x.len()).enumerate() {
                scale.iter().for_each(|scale| scale.apply(output, row));
            }
            if let Some(groups) = groups {
                let packed = weight.bytes().chunks(x.len() / 2);
                for (output, (row, packed)) in values.chunks_mut(x.len()).zip(packed).enumerate() {
                    groups.widen(output, packed, row);
                }
            }
            reference::product(&values, x.len(), bias.as_ref().map(Tensor::to_f32).as_deref(), x)
        };
        self.parts.iter().map(product).collect()
    }
}

/// A power of two, so that scaled weights are exact in 16 bits as well.
fn power(index: usize) -> f32 {
    2f32.powi((index % 7) as i32 - 3)
}

/// Groups of 8 to 128 inputs, at most all of them; the last one may be incomplete.
fn groups(outputs: usize, inputs: usize, order: Option<Arc<[u32]>>) -> Groups {
    let size = (inputs / 4).next_power_of_two().clamp(8, 128);
    let of_output = inputs.div_ceil(size);
    let group = |index: usize| Group::new(power(index), (index * 5 % 16) as u8).expect("a group");
    let all = (0..outputs * of_output).map(group).collect();
    Groups::new(size, of_output, all, DType::F16, order).expect("groups")
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
    compare_products(device, tolerance, &Weights::new(outputs, inputs, dtype), dtype, rows, inputs, epilogue)
}

/// Products with 4-bit weights that the device keeps in `dtype`, with or without reordered columns.
fn of_four_bits<D: Device>(
    device: &D,
    tolerance: Tolerance,
    dtype: DType,
    ordered: bool,
    rows: usize,
    inputs: usize,
) -> Found {
    let weights = Weights::new(&[24, 66], inputs, DType::I4);
    let weights = if ordered { weights.ordered(inputs) } else { weights };
    compare_products(device, tolerance, &weights, dtype, rows, inputs, Epilogue::None)
}

/// Products with 8-bit weights that have a scale for each block, kept in `dtype`.
fn of_blocks<D: Device>(
    device: &D,
    tolerance: Tolerance,
    sizes: &[[usize; 2]],
    dtype: DType,
    rows: usize,
    inputs: usize,
    epilogue: Epilogue,
) -> Found {
    let outputs: &[usize] = if matches!(epilogue, Epilogue::Gate(_)) { &[72, 72] } else { &[65, 1, 130] };
    let weights = Weights::new(outputs, inputs, DType::F8).in_blocks(sizes, inputs);
    compare_products(device, tolerance, &weights, dtype, rows, inputs, epilogue)
}

/// With few rows, a device must keep nearly all digits of the activations, and of weights that have as many.
fn of_long_numbers<D: Device>(device: &D, tolerance: Tolerance, dtype: DType, rows: usize) -> Found {
    let (inputs, epilogue) = (448, Epilogue::None);
    let mut weights = Weights::new(&[65, 130], inputs, dtype);
    if matches!(dtype, DType::F32 | DType::F16) {
        for part in &mut weights.parts {
            let shape = part.weight.shape();
            part.weight = Tensor::from_values(dtype, shape, &long_numbers(part.weight.len(), shape[0] as u64));
        }
    }
    compare_products_with(device, tolerance, &weights, dtype, &long_numbers(rows * inputs, 22), inputs, epilogue)
}

/// Numbers with more digits than bf16 has.
fn long_numbers(count: usize, seed: u64) -> Vec<f32> {
    numbers(count, seed).into_iter().zip(numbers(count, seed + 1)).map(|(coarse, fine)| coarse + fine / 512.0).collect()
}

fn compare_products<D: Device>(
    device: &D,
    tolerance: Tolerance,
    weights: &Weights,
    dtype: DType,
    rows: usize,
    inputs: usize,
    epilogue: Epilogue,
) -> Found {
    compare_products_with(device, tolerance, weights, dtype, &numbers(rows * inputs, 20), inputs, epilogue)
}

fn compare_products_with<D: Device>(
    device: &D,
    tolerance: Tolerance,
    weights: &Weights,
    dtype: DType,
    x: &[f32],
    inputs: usize,
    epilogue: Epilogue,
) -> Found {
    let rows = x.len() / inputs;
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
    let (x, out) = (filled(device, inputs, x)?, device.buffer(rows + 1, right[0].len())?);
    device.linear(rows, &x, &matrix, epilogue, &out)?;
    let problem = compare(tolerance, &read(device, &out, rows)?, &right);
    let past = device.read_row(&out, rows)?.iter().any(|x| *x != 0.0);
    Ok(problem.or(past.then(|| "a row past the last was written to".to_owned())))
}

fn same_bits<D: Device>(device: &D, dtype: DType) -> Found {
    let (rows, inputs) = (40, if dtype == DType::I4 { 1040 } else { 1030 });
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
