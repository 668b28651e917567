//! Activations that only products read: in whatever type a device stores them, products have the same bits as with
//! others.

use super::products::Weights;
use super::suite::{Found, Suite, filled, numbers, read};
use crate::device::{Activation, Device, Epilogue, Norm, NormKind};
use crate::weights::DType;

pub(super) fn cases<D: Device>(suite: &mut Suite<'_, D>) {
    let mut case = |dtype, rows, width, epilogue| {
        let name = format!("operands, {dtype}, {rows} rows of {width}, {epilogue:?}");
        suite.case(name, |device, _| chain(device, dtype, rows, width, epilogue));
    };
    for dtype in [DType::F32, DType::F16, DType::BF16, DType::F8, DType::I4] {
        // The last sizes exceed every kernel for few rows.
        for rows in [1, 65] {
            case(dtype, rows, 64, Epilogue::Gate(Activation::Silu));
        }
    }
    case(DType::BF16, 64, 64, Epilogue::Gate(Activation::Silu));
    case(DType::BF16, 100, 104, Epilogue::Activate(Activation::Relu));
    case(DType::F16, 70, 24, Epilogue::None);
    // A width that is no multiple of a vector load.
    case(DType::BF16, 70, 20, Epilogue::Gate(Activation::Silu));
}

/// The inside of a block: norm, product, product.
fn chain<D: Device>(device: &D, dtype: DType, rows: usize, width: usize, epilogue: Epilogue) -> Found {
    let inner = 2 * width;
    let outputs: &[usize] = if matches!(epilogue, Epilogue::Gate(_)) { &[inner, inner] } else { &[inner] };
    let up = Weights::new(outputs, width, dtype).upload(device, dtype)?;
    let down = Weights::new(&[24, 9], inner, dtype).upload(device, dtype)?;
    let weight = Some(device.vector(&numbers(width, 61))?);
    let norm = Norm { kind: NormKind::Rms, epsilon: 1e-5, weight, bias: None };
    let x = filled(device, width, &numbers(rows * width, 60))?;
    let out = device.buffer(rows, 33)?;
    let through = |normed: &D::Buffer, hidden: &D::Buffer| {
        device.norm(rows, &x, &norm, normed)?;
        device.linear(rows, normed, &up, epilogue, hidden)?;
        device.linear(rows, hidden, &down, Epilogue::None, &out)?;
        read(device, &out, rows)
    };
    let plain = through(&device.buffer(rows, width)?, &device.buffer(rows, inner)?)?;
    let kept = through(&device.operand(rows, width, &[&up])?, &device.operand(rows, inner, &[&down])?)?;
    Ok(difference(&plain, &kept))
}

/// Where rows differ at all.
pub(super) fn difference(plain: &[Vec<f32>], kept: &[Vec<f32>]) -> Option<String> {
    let differs = |(row, (plain, kept)): (usize, (&Vec<f32>, &Vec<f32>))| {
        let column = plain.iter().zip(kept).position(|(plain, kept)| plain.to_bits() != kept.to_bits())?;
        Some(format!("row {row}, column {column}: {}, and {} through an operand", plain[column], kept[column]))
    };
    plain.iter().zip(kept).enumerate().find_map(differs)
}
