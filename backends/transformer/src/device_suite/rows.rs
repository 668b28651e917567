//! Operations on each row by itself: embedding, norms, sums, gathering.

use jig_plugin_api::Result;

use super::reference;
use super::suite::{Found, Suite, Tolerance, compare, filled, numbers, plain_batch, read};
use crate::device::{Device, MatrixPart, MatrixSource, Norm, NormKind};
use crate::weights::{DType, Tensor};

const WIDTHS: [usize; 4] = [8, 20, 64, 130];

pub(super) fn cases<D: Device>(suite: &mut Suite<'_, D>) {
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        suite.case(format!("embed, {dtype}"), |device, tolerance| embed(device, tolerance, dtype));
    }
    for width in WIDTHS {
        for kind in [NormKind::Rms, NormKind::Layer] {
            for rows in [1, 13] {
                let name = format!("norm and add_norm, {kind:?}, {rows} rows of {width}");
                suite.case(name, |device, tolerance| norms(device, tolerance, kind, rows, width));
            }
        }
    }
    // The width of large models, and a little more.
    for width in [4096, 4100, 9001] {
        for kind in [NormKind::Rms, NormKind::Layer] {
            let name = format!("norm and add_norm, {kind:?}, 2 rows of {width}");
            suite.case(name, |device, tolerance| norms(device, tolerance, kind, 2, width));
        }
    }
    suite.case("gather".to_owned(), gather);
    suite.case("add_ranks, alone".to_owned(), add_ranks);
}

/// A device with the whole model has the sum already, so `add_ranks` must change nothing.
fn add_ranks<D: Device>(device: &D, tolerance: Tolerance) -> Found {
    let values = numbers(3 * 20, 9);
    let x = filled(device, 20, &values)?;
    device.add_ranks(3, &x)?;
    let right: Vec<_> = values.chunks(20).map(reference::wide).collect();
    Ok(compare(tolerance, &read(device, &x, 3)?, &right))
}

fn embed<D: Device>(device: &D, tolerance: Tolerance, dtype: DType) -> Found {
    let (ids, width) = (70, 24);
    let table = |seed| Tensor::from_values(DType::BF16, &[ids, width], &numbers(ids * width, seed));
    let upload = |tensor: &Tensor| {
        device.matrix(&MatrixSource {
            parts: &[MatrixPart { weight: tensor, bias: None, scale: None, groups: None }],
            dtype,
        })
    };
    let (tokens, positions) = (table(1), table(2));
    let (token_table, position_table) = (upload(&tokens)?, upload(&positions)?);
    let batch = plain_batch(&[69, 0, 5, 5, 64, 63], &[0, 67, 3, 2, 1, 9]);
    let out = device.buffer(batch.rows(), width)?;
    device.begin(&batch)?;
    device.embed(&token_table, &out)?;
    device.add_positions(&position_table, 2, &out)?;
    let (tokens, positions) = (tokens.to_f32(), positions.to_f32());
    let row = |table: &[f32], id: usize| reference::wide(&table[id * width..(id + 1) * width]);
    let right: Vec<Vec<f64>> = batch
        .tokens
        .iter()
        .zip(&batch.positions)
        .map(|(token, position)| {
            let learned = row(&positions, *position as usize + 2);
            row(&tokens, *token as usize).iter().zip(learned).map(|(a, b)| a + b).collect()
        })
        .collect();
    Ok(compare(tolerance, &read(device, &out, batch.rows())?, &right))
}

fn norms<D: Device>(device: &D, tolerance: Tolerance, kind: NormKind, rows: usize, width: usize) -> Found {
    let (weight, bias) = (numbers(width, 3), numbers(width, 4));
    for (weight, bias) in [(Some(&weight), Some(&bias)), (Some(&weight), None), (None, None)] {
        let upload = |values: Option<&Vec<f32>>| values.map(|values| device.vector(values)).transpose();
        let norm = Norm { kind, epsilon: 1e-5, weight: upload(weight)?, bias: upload(bias)? };
        let (values, delta) = (numbers(rows * width, 5), numbers(rows * width, 6));
        let (x, d) = (filled(device, width, &values)?, filled(device, width, &delta)?);
        let out = device.buffer(rows, width)?;
        let right = |x: &[f64]| reference::norm(kind, 1e-5, weight.map(Vec::as_slice), bias.map(Vec::as_slice), x);
        let wide = |values: &[f32]| -> Vec<Vec<f64>> { values.chunks_exact(width).map(reference::wide).collect() };
        device.norm(rows, &x, &norm, &out)?;
        let normed: Vec<_> = wide(&values).iter().map(|row| right(row)).collect();
        let mut problem = compare(tolerance, &read(device, &out, rows)?, &normed);
        device.add_norm(rows, &x, &d, &norm, &out)?;
        let add = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a + b).collect() };
        let sums: Vec<_> = wide(&values).iter().zip(&wide(&delta)).map(|(a, b)| add(a, b)).collect();
        let normed: Vec<_> = sums.iter().map(|row| right(row)).collect();
        problem = problem.or(compare(tolerance, &read(device, &out, rows)?, &normed));
        problem = problem.or(compare(tolerance, &read(device, &x, rows)?, &sums));
        device.add(rows, &x, &d)?;
        let twice: Vec<_> = sums.iter().zip(&wide(&delta)).map(|(a, b)| add(a, b)).collect();
        problem = problem.or(compare(tolerance, &read(device, &x, rows)?, &twice));
        if problem.is_some() {
            return Ok(problem);
        }
    }
    Ok(None)
}

fn gather<D: Device>(device: &D, tolerance: Tolerance) -> Found {
    let (rows, width) = (9, 20);
    let values = numbers(rows * width, 7);
    let (x, out) = (filled(device, width, &values)?, device.buffer(4, width)?);
    let mut batch = plain_batch(&[0; 9], &[0; 9]);
    batch.logit_rows = vec![8, 0, 3, 3, 7, 1];
    device.begin(&batch)?;
    let right = |chosen: &[usize]| -> Result<Option<String>> {
        let rows: Vec<_> = chosen.iter().map(|row| reference::wide(&values[row * width..(row + 1) * width])).collect();
        Ok(compare(tolerance, &read(device, &out, chosen.len())?, &rows))
    };
    device.gather(&x, 0, 4, &out)?;
    let problem = right(&[8, 0, 3, 3])?;
    device.gather(&x, 4, 2, &out)?;
    Ok(problem.or(right(&[7, 1])?))
}
