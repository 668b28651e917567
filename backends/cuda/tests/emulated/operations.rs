//! Each operation of the device against its textbook version.

use std::fmt::Write;

use jig_backend_cuda::device::{CudaDevice, Settings};
use jig_plugin_api::{ErrorCode, SampleRow, SamplingParams, mask, sampler};
use jig_transformer::device::{AttentionShape, Epilogue, KvShape, MatrixPart, MatrixSource};
use jig_transformer::device_suite::{self, CaseResult, Tolerance};
use jig_transformer::weights::int4::{Group, Groups};
use jig_transformer::weights::scales::Scales;
use jig_transformer::{Batch, DType, Device, Span, Tensor};

use crate::available;
use crate::emulator::Emulator;

fn device(kv_type: Option<DType>) -> CudaDevice {
    let settings = Settings { kv_type, ..Settings::default() };
    CudaDevice::new(Emulator::new(1 << 30), settings).expect("a device")
}

fn check(results: &[CaseResult]) {
    let mut failed = String::new();
    for result in results {
        if let Some(problem) = &result.problem {
            writeln!(failed, "{}: {problem}", result.name).expect("text");
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

#[test]
fn every_operation_agrees_with_its_textbook_version() {
    // Rows of more than 16 are narrowed to the type of the weights, in which the suite's inputs are exact.
    if available() {
        let tolerance = Tolerance { relative: 2e-5, same_bits_in_any_batch: false };
        let results = device_suite::run(&device(Some(DType::F32)), tolerance);
        assert!(results.len() > 100, "{} cases", results.len());
        check(&results);
    }
}

#[test]
fn keys_and_values_in_16_bits_cost_their_rounding_and_no_more() {
    if available() {
        for (kv_type, relative) in [(DType::F16, 2e-3), (DType::BF16, 2e-2)] {
            let tolerance = Tolerance { relative, same_bits_in_any_batch: false };
            let results = device_suite::run_attention(&device(Some(kv_type)), tolerance);
            assert!(results.len() > 10, "{} cases", results.len());
            check(&results);
        }
    }
}

/// Rows of logits with what is hard about them: equal ones, infinite ones, words without an allowed token.
pub(crate) fn rows_of_logits(vocabulary: usize) -> Vec<Vec<f32>> {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let plain: Vec<f32> = (0..vocabulary).map(|_| next() * 20.0 - 10.0).collect();
    let coarse: Vec<f32> = plain.iter().map(|x| x.round()).collect();
    let mut infinite = plain.clone();
    infinite.iter_mut().step_by(3).for_each(|x| *x = f32::NEG_INFINITY);
    let huge = plain.iter().map(|x| x * 1e37).collect();
    vec![plain, coarse, infinite, vec![-0.0; vocabulary], huge]
}

#[test]
fn tokens_are_those_of_the_reference_sampler_whatever_is_asked() {
    if !available() {
        return;
    }
    // A warp has one word of the mask, some have none; and several words, the last one not full.
    for vocabulary in [61, 3333] {
        let logits = rows_of_logits(vocabulary);
        let device = device(None);
        let buffer = device.buffer(logits.len(), vocabulary).expect("a buffer");
        device.write_rows(&buffer, &logits.concat()).expect("written");
        let base = SamplingParams::default();
        let mut asked = vec![SamplingParams::greedy(), base.clone()];
        for top_k in [1, 5, 5000] {
            asked.push(SamplingParams { top_k, temperature: 1.5, ..base.clone() });
        }
        for top_p in [1e-6, 0.5, 0.95] {
            asked.push(SamplingParams { top_p, ..base.clone() });
            asked.push(SamplingParams { top_p, top_k: 20, min_p: 0.02, temperature: 0.6, ..base.clone() });
        }
        asked.push(SamplingParams { min_p: 0.3, ..base.clone() });
        asked.push(SamplingParams { temperature: 1e-3, ..base.clone() });
        asked.push(SamplingParams {
            logit_bias: vec![(7, 100.0), (60, -100.0), (7, -50.0)],
            repetition_penalty: 1.7,
            presence_penalty: -1.0,
            frequency_penalty: 2.0,
            ..base
        });
        let masks = [
            Vec::new(),
            mask::pack(vocabulary, [59, 60]),
            mask::pack(vocabulary, (0..vocabulary as u32).filter(|token| token % 7 == 3)),
        ];
        let (prompt, output, banned) = ([7, 60, 8], [60, 60, 1], [59, 7]);
        let mut rows = Vec::new();
        for (index, params) in asked.iter().enumerate() {
            for row in 0..logits.len() as u32 {
                for (number, mask) in masks.iter().enumerate() {
                    let uniform = ((index * 131 + number * 17 + row as usize * 71) % 100) as f32 / 100.0;
                    let banned = if number == 2 { &banned[..] } else { &[] };
                    rows.push(SampleRow { row, mask, banned, params, uniform, prompt: &prompt, output: &output });
                }
            }
        }
        let drawn = device.sample(&buffer, vocabulary, &rows).expect("tokens");
        let mut scratch = sampler::Scratch::default();
        for (row, drawn) in rows.iter().zip(&drawn) {
            let right = sampler::sample(&logits[row.row as usize], row, &mut scratch).expect("a token");
            assert_eq!(drawn.token, right.token, "{row:?}");
        }
    }
}

#[test]
fn rows_from_which_nothing_can_be_drawn_say_why() {
    if !available() {
        return;
    }
    let device = device(None);
    let nan = [0.0, f32::NAN, 1.0, f32::INFINITY];
    let (none, some) = (mask::pack(4, []), mask::pack(4, [0, 2]));
    let buffer = device.buffer(1, 4).expect("a buffer");
    device.write_rows(&buffer, &nan).expect("written");
    let (params, greedy) = (SamplingParams::default(), SamplingParams::greedy());
    let row = |mask, params| SampleRow { row: 0, mask, banned: &[], params, uniform: 0.5, prompt: &[], output: &[] };
    for params in [&params, &greedy] {
        let error = device.sample(&buffer, 4, &[row(&[], params)]).expect_err("a NaN");
        assert!(error.code == ErrorCode::Internal && error.message.contains("token 1"), "{error}");
        let error = device.sample(&buffer, 4, &[row(&none, params)]).expect_err("nothing is allowed");
        assert!(error.code == ErrorCode::InvalidArgument && error.message.contains("no token"), "{error}");
        // What is not a number and not allowed disturbs nobody.
        assert!(device.sample(&buffer, 4, &[row(&some, params)]).is_ok());
    }
}

#[test]
fn heads_that_the_kernels_do_not_take_are_refused_with_both_sizes() {
    // Nothing is launched, so that no compiler is needed.
    let (device, shape) = (device(None), |head_dim| KvShape { layers: 1, kv_heads: 1, head_dim });
    assert!(device.kv_cache(&shape(256), 1).is_ok());
    for head_dim in [257, 512] {
        let error = device.kv_cache(&shape(head_dim), 1).expect_err("longer heads");
        let said = format!("heads of {head_dim} elements; the CUDA backend computes at most 256");
        assert!(error.code == ErrorCode::Unsupported && error.message == said, "{error}");
    }
}

#[test]
fn a_row_that_decodes_has_the_same_bits_with_many_others_whose_blocks_have_several_of_its_parts() {
    if !available() {
        return;
    }
    let shape = AttentionShape { heads: 8, kv_heads: 8, head_dim: 8, scale: 0.35 };
    let kv = KvShape { layers: 1, kv_heads: 8, head_dim: 8 };
    let (context, most) = (400, 64);
    let device = device(Some(DType::F32));
    let page = device.page_tokens();
    let pages = context / page;
    let cache = device.kv_cache(&kv, pages).expect("a cache");
    // All rows see the same sequence, up to one token or another.
    let batch = |first: usize, rows: usize, tokens: usize| Batch {
        tokens: vec![0; rows],
        positions: (first..first + rows).map(|row| (tokens - 1 - row % 7) as u32).collect(),
        slots: vec![u32::MAX; rows],
        spans: (0..rows as u32)
            .map(|row| Span {
                first_row: row,
                rows: 1,
                first_position: (tokens - 1 - (first + row as usize) % 7) as u32,
                first_page: row * pages as u32,
                pages: pages as u32,
            })
            .collect(),
        pages: (0..rows).flat_map(|_| 0..pages as u32).collect(),
        logit_rows: vec![],
    };
    let number = |i: usize| ((i * 7919 + i / 192) % 1013) as f32 / 1013.0 - 0.5;
    let values: Vec<f32> = (0..context * shape.qkv_width()).map(number).collect();
    let qkv = device.buffer(context, shape.qkv_width()).expect("rows");
    let out = device.buffer(context, 64).expect("rows");
    let mut filling = batch(0, context, context);
    filling.positions = (0..context as u32).collect();
    filling.slots = (0..context as u32).collect();
    device.write_rows(&qkv, &values).expect("written");
    device.begin(&filling).expect("a batch");
    device.store_kv(0, &shape, &qkv, None, None, &cache).expect("stored");

    let attend = |first: usize, rows: usize| -> Vec<Vec<f32>> {
        device.write_rows(&qkv, &values[first * shape.qkv_width()..]).expect("written");
        device.begin(&batch(first, rows, context)).expect("a batch");
        device.attend(0, &shape, None, &qkv, &cache, &out).expect("attention");
        (0..rows).map(|row| device.read_row(&out, row).expect("a row")).collect()
    };
    let together = attend(0, most);
    for row in [0, 1, 40, 63] {
        assert_eq!(attend(row, 1)[0], together[row], "row {row}");
    }
}

#[test]
fn what_a_row_gives_on_tensor_cores_does_not_depend_on_how_many_there_are() {
    if !available() {
        return;
    }
    // Inputs of which there are enough to be split among blocks, and the last split has fewer.
    let (inputs, outputs) = (1088, 130);
    let device = device(None);
    let number = |i: usize| ((i * 7919 + i / inputs) % 1013) as f32 / 1013.0 - 0.5;
    let x: Vec<f32> = (0..64 * inputs).map(|i| number(3 * i + 1)).collect();
    for dtype in [DType::F16, DType::BF16, DType::F8, DType::I4] {
        let value = |i: usize| if dtype == DType::I4 { (i * 7 % 16) as f32 } else { number(i) };
        let weight =
            Tensor::from_values(dtype, &[outputs, inputs], &(0..outputs * inputs).map(value).collect::<Vec<_>>());
        let scales = Scales::of_outputs(vec![0.7; outputs], inputs);
        let all = vec![Group::new(0.375, 7).expect("a group"); outputs * inputs.div_ceil(64)];
        let groups = Groups::new(64, inputs.div_ceil(64), all, DType::F16, None).expect("groups");
        let part = MatrixPart {
            weight: &weight,
            bias: None,
            scale: (dtype == DType::F8).then_some(&scales),
            groups: (dtype == DType::I4).then_some(&groups),
        };
        let matrix = device.matrix(&MatrixSource { parts: &[part], dtype }).expect("a matrix");
        let (rows_of_x, out) = (device.buffer(64, inputs).expect("rows"), device.buffer(64, outputs).expect("rows"));
        device.write_rows(&rows_of_x, &x).expect("written");
        let all = |rows: usize| -> Vec<Vec<f32>> {
            device.linear(rows, &rows_of_x, &matrix, Epilogue::None, &out).expect("a product");
            (0..rows).map(|row| device.read_row(&out, row).expect("a row")).collect()
        };
        let sixteen = all(16);
        for rows in [5, 8, 9, 15] {
            assert!(all(rows) == sixteen[..rows], "{rows} rows in {dtype}");
        }
        if dtype.bits() < 16 {
            let sixty_four = all(64);
            for rows in [17, 32, 50] {
                assert!(all(rows) == sixty_four[..rows], "{rows} rows in {dtype}");
            }
        }
    }
}

#[test]
fn a_matrix_in_8_bits_too_large_to_be_widened_at_once_is_multiplied_in_pieces() {
    if !available() {
        return;
    }
    // 64 outputs are widened at least, and of so long ones not more.
    let (inputs, outputs, rows) = (530_000, 66, 17);
    let values: Vec<f32> = (0..inputs * outputs).map(|i| ((i * 7 + i / inputs) % 13) as f32 - 6.0).collect();
    let weight = Tensor::from_values(DType::F8, &[outputs, inputs], &values);
    let scale: Vec<f32> = (0..outputs).map(|output| 1.0 + output as f32).collect();
    let device = device(None);
    let scales = Scales::of_outputs(scale.clone(), inputs);
    let part = MatrixPart { weight: &weight, bias: None, scale: Some(&scales), groups: None };
    let matrix = device.matrix(&MatrixSource { parts: &[part], dtype: DType::F8 }).expect("a matrix");
    let (x, out) = (device.buffer(rows, inputs).expect("rows"), device.buffer(rows, outputs).expect("rows"));
    let row: Vec<f32> = (0..inputs).map(|i| if i % 1000 == 3 { 0.5 } else { 0.0 }).collect();
    device.write_rows(&x, &row.repeat(rows)).expect("written");
    let right: Vec<f32> = (0..outputs)
        .map(|output| values[output * inputs..].iter().zip(&row).map(|(w, x)| w * x).sum::<f32>() * scale[output])
        .collect();
    for rows in [1, rows] {
        device.linear(rows, &x, &matrix, Epilogue::None, &out).expect("a product");
        assert_eq!(device.read_row(&out, rows - 1).expect("a row"), right);
    }
}

#[test]
fn a_matrix_in_4_bits_too_large_to_be_widened_at_once_is_multiplied_in_pieces() {
    if !available() {
        return;
    }
    let (inputs, outputs, rows) = (530_000, 66, 17);
    let values: Vec<f32> = (0..inputs * outputs).map(|i| ((i * 7 + i / inputs) % 16) as f32).collect();
    let weight = Tensor::from_values(DType::I4, &[outputs, inputs], &values);
    let group = |index: usize| Group::new(1.0 + (index % 3) as f32, (index % 5) as u8).expect("a group");
    let of_output = inputs.div_ceil(1024);
    let all: Vec<Group> = (0..outputs * of_output).map(group).collect();
    let device = device(None);
    let (x, out) = (device.buffer(rows, inputs).expect("rows"), device.buffer(rows, outputs).expect("rows"));
    let row: Vec<f32> = (0..inputs).map(|i| if i % 1000 == 3 { 0.5 } else { 0.0 }).collect();
    device.write_rows(&x, &row.repeat(rows)).expect("written");
    let groups = Groups::new(1024, of_output, all.clone(), DType::F16, None).expect("groups");
    let part = MatrixPart { weight: &weight, bias: None, scale: None, groups: Some(&groups) };
    let matrix = device.matrix(&MatrixSource { parts: &[part], dtype: DType::I4 }).expect("a matrix");
    let right: Vec<f32> = (0..outputs)
        .map(|output| {
            let of_group = |i: usize| all[output * of_output + i / 1024].weight(values[output * inputs + i] as u8);
            row.iter().enumerate().map(|(i, x)| of_group(i) * x).sum()
        })
        .collect();
    for rows in [1, rows] {
        device.linear(rows, &x, &matrix, Epilogue::None, &out).expect("a product");
        assert_eq!(device.read_row(&out, rows - 1).expect("a row"), right, "{rows} rows");
    }
}
