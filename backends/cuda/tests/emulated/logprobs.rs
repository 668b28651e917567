//! Log-probabilities that the device computes, against those of the reference sampler.

use std::sync::Arc;

use jig_backend_cuda::device::{CudaDevice, Settings};
use jig_plugin_api::{ErrorCode, SampleRow, SamplingParams, mask, sampler};
use jig_transformer::Device;

use crate::available;
use crate::emulator::Emulator;
use crate::operations::rows_of_logits;

/// More than these are copied to the host with their whole row.
const MOST: u32 = 64;

/// A device with rows of logits.
struct Logits {
    runtime: Arc<Emulator>,
    device: CudaDevice,
    buffer: <CudaDevice as Device>::Buffer,
    rows: Vec<Vec<f32>>,
}

impl Logits {
    fn new(rows: Vec<Vec<f32>>) -> Self {
        let runtime = Emulator::new(1 << 26);
        let device = CudaDevice::new(runtime.clone(), Settings::default()).expect("a device");
        let buffer = device.buffer(rows.len(), rows[0].len()).expect("a buffer");
        device.write_rows(&buffer, &rows.concat()).expect("written");
        Self { runtime, device, buffer, rows }
    }

    fn vocabulary(&self) -> usize {
        self.rows[0].len()
    }

    /// Draws, compares with the reference to the last bit, and says how many times something was read from the device.
    fn check(&self, asked: &[SampleRow<'_>]) -> usize {
        let before = self.runtime.reads();
        let drawn = self.device.sample(&self.buffer, self.vocabulary(), asked).expect("tokens");
        assert_eq!(drawn.len(), asked.len());
        let mut scratch = sampler::Scratch::default();
        for (row, drawn) in asked.iter().zip(&drawn) {
            let right = sampler::sample(&self.rows[row.row as usize], row, &mut scratch).expect("a token");
            assert_eq!(*drawn, right, "of {} tokens: {row:?}", self.vocabulary());
        }
        self.runtime.reads() - before
    }
}

fn row<'a>(row: u32, mask: &'a [u32], params: &'a SamplingParams) -> SampleRow<'a> {
    SampleRow { row, mask, banned: &[], params, uniform: 0.6, prompt: &[], output: &[] }
}

fn wanted(logprobs: impl Into<Option<u32>>) -> SamplingParams {
    SamplingParams { logprobs: logprobs.into(), ..SamplingParams::default() }
}

#[test]
fn log_probabilities_and_their_order_are_those_of_the_reference_sampler() {
    if !available() {
        return;
    }
    // One token; less than a thread reads at once; no multiple of a word; and more tokens than can be kept for a second look.
    for vocabulary in [1, 3, 61, 1027, 4099, 5000] {
        let mut rows = rows_of_logits(vocabulary);
        // Both zeros are equal, and nothing else is; minus infinity comes last, but for a few.
        rows.push((0..vocabulary).map(|i| if i % 3 == 0 { -0.0 } else { 0.0 }).collect());
        rows.push((0..vocabulary).map(|i| if i % 500 == 7 { i as f32 } else { f32::NEG_INFINITY }).collect());
        // The largest ones beside each other, in few threads.
        rows.push((0..vocabulary).map(|i| if i < 40 { 9.0 - i as f32 } else { -(i as f32) / 100.0 }).collect());
        let logits = Logits::new(rows);
        let one = mask::pack(vocabulary, [vocabulary as u32 / 2]);
        let asked = [None, Some(0), Some(1), Some(5), Some(20), Some(MOST)].map(wanted);
        // Rows with and without, masked and not, in one batch.
        let mut batch = Vec::new();
        for index in 0..logits.rows.len() {
            for params in &asked {
                batch.extend([row(index as u32, &[], params), row(index as u32, &one, params)]);
            }
        }
        assert_eq!(logits.check(&batch), 1, "one copy for all rows");
        let (few, many) = (wanted(2), wanted(MOST + 1));
        let batch = [row(0, &[], &few), row(1, &[], &many), row(2, &one, &few)];
        assert_eq!(logits.check(&batch), 2, "and one for a row that is wanted whole");
        assert_eq!(logits.check(&[row(1, &[], &wanted(u32::MAX))]), 2);
    }
}

#[test]
fn log_probabilities_are_of_the_raw_logits_whatever_is_changed_for_the_draw() {
    if !available() {
        return;
    }
    let logits = Logits::new(rows_of_logits(333));
    let params = SamplingParams {
        temperature: 0.3,
        top_k: 7,
        top_p: 0.8,
        repetition_penalty: 1.4,
        presence_penalty: 0.5,
        logit_bias: vec![(11, 50.0), (12, -50.0)],
        ..wanted(6)
    };
    let greedy = SamplingParams { temperature: 0.0, ..params.clone() };
    let some = mask::pack(333, (0..333).filter(|token| token % 5 == 1));
    let mut batch = Vec::new();
    for index in 0..logits.rows.len() as u32 {
        for params in [&params, &greedy] {
            let row = SampleRow { banned: &[11, 16], prompt: &[1, 2, 3], output: &[6, 6], ..row(index, &some, params) };
            batch.extend([row, SampleRow { mask: &[], ..row }]);
        }
    }
    assert_eq!(logits.check(&batch), 1);
}

#[test]
fn a_logit_that_is_no_number_matters_to_log_probabilities_even_where_it_may_not_be_drawn() {
    if !available() {
        return;
    }
    for wrong in [f32::NAN, f32::INFINITY] {
        let mut rows = rows_of_logits(3000);
        // The first one is the one to be named.
        (rows[0][2049], rows[0][1031], rows[0][1030]) = (wrong, wrong, wrong);
        let logits = Logits::new(rows);
        let one = mask::pack(3000, [1029]);
        let (none, some) = (wanted(None), wanted(3));
        logits.check(&[row(0, &one, &none), row(1, &[], &some)]);
        for asked in [vec![row(0, &one, &some)], vec![row(1, &[], &some), row(0, &one, &some), row(2, &[], &none)]] {
            let error = logits.device.sample(&logits.buffer, 3000, &asked).expect_err("no number");
            assert!(error.code == ErrorCode::Internal && error.message.contains("token 1030 "), "{error}");
        }
    }
}
