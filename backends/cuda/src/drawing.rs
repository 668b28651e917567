//! Sampling on the device: packs rows, masks and edits for `kernels/sample.cu`, and reads the results.
//!
//! Rows, edits and the masks of rows that have one are uploaded in one copy. One copy also brings back a token for each
//! row and, where log-probabilities are wanted, the few numbers that they are computed from (`kernels/logprobs.cu`). In
//! rare cases (the text of an error, log-probabilities of hundreds of tokens) that is not enough; then the row of
//! logits is downloaded and the plugin API's reference sampler draws from it. It draws the same token.

use std::sync::Arc;

use jig_plugin_api::sampler::{WEIGHT_ONE, log_normalizer, logprob};
use jig_plugin_api::{Error, Result, SampleRow, Sampled};

use crate::arguments::Draw;
use crate::memory::{bytes_of, bytes_of_mut};
use crate::runtime::{Allocation, Runtime};
use crate::step::NONE;

/// Words of `Edit`, `Drawn` and `Top` in `kernels/prelude.cuh`.
const EDIT_WORDS: usize = 3;
const DRAWN_WORDS: usize = 6;
const TOP_WORDS: usize = 2;

/// The most log-probabilities of a row that the kernel computes, which bounds what comes back. Requests may ask for 20.
const MOST_TOPS: u32 = 64;

/// The kinds of edits.
const BIAS: u32 = 0;
const PENALTY: u32 = 1;
const BANNED: u32 = 2;

/// Bytes for copies of edited rows; rows whose copies don't fit are drawn in another launch.
const COPY_BYTES: usize = 64 << 20;

/// The memory of sampling, which grows as needed.
#[derive(Debug, Default)]
pub(crate) struct Drawing {
    asked: Option<Allocation>,
    drawn: Option<Allocation>,
    copies: Option<Allocation>,
    words: Vec<u32>,
    edits: Vec<Edit>,
    seen: Seen,
    answers: Vec<u32>,
}

/// One launch: its arguments, and the size of its results.
pub(crate) struct Launch {
    pub(crate) arguments: Draw,
    pub(crate) rows: usize,
    /// Whether log-probabilities are wanted.
    pub(crate) logprobs: bool,
    /// The number of most likely tokens over all rows.
    tops: usize,
}

impl Drawing {
    /// How many of the rows fit one launch.
    pub(crate) fn fit(rows: &[SampleRow<'_>], vocabulary: usize) -> usize {
        let mut copies = (COPY_BYTES / (4 * vocabulary).max(1)).max(1);
        let fits = |row: &&SampleRow<'_>| {
            copies = if has_edits(row) { copies.wrapping_sub(1) } else { copies };
            copies != usize::MAX
        };
        rows.iter().take_while(fits).count().max(1)
    }

    /// Uploads the rows of a launch.
    pub(crate) fn ask(
        &mut self,
        runtime: &Arc<dyn Runtime>,
        logits: u64,
        stride: usize,
        vocabulary: usize,
        rows: &[SampleRow<'_>],
    ) -> Result<Launch> {
        let Self { words, edits, seen, .. } = self;
        let (mut copies, mut mask_words, mut tops, mut logprobs) = (0, 0, 0, false);
        words.clear();
        edits.clear();
        for row in rows {
            let first_edit = edits.len();
            edits_of(row, vocabulary, seen, edits)?;
            let count = edits.len() - first_edit;
            let wanted = wanted_tops(row);
            let mask = if row.mask.is_empty() { NONE } else { mask_words as u32 };
            let top = if wanted.is_some() { tops as u32 } else { NONE };
            let places = Places { mask, first_edit: first_edit as u32, edits: count as u32, copy: copies as u32, top };
            words.extend(row_words(row, &places));
            mask_words += row.mask.len();
            logprobs |= wanted.is_some();
            tops += wanted.map_or(0, |wanted| wanted as usize);
            copies += usize::from(count > 0);
        }
        let edits_at = words.len();
        words.extend(edits.iter().flat_map(|edit| [edit.token, edit.kind, edit.bits]));
        let masks_at = words.len();
        rows.iter().for_each(|row| words.extend_from_slice(row.mask));

        let asked = grown(&mut self.asked, runtime, size_of_val(&words[..]))?;
        asked.write(0, bytes_of(words))?;
        let address = asked.address();
        let copies = grown(&mut self.copies, runtime, copies * vocabulary * size_of::<f32>())?.address();
        let at = |address: u64, words: usize| address + (words * size_of::<u32>()) as u64;
        let tops_at = rows.len() * DRAWN_WORDS;
        let answers = tops_at + tops * TOP_WORDS;
        let drawn = grown(&mut self.drawn, runtime, answers * size_of::<u32>())?.address();
        let arguments = Draw {
            logits,
            rows: address,
            masks: at(address, masks_at),
            edits: at(address, edits_at),
            copies,
            drawn,
            tops: at(drawn, tops_at),
            vocabulary: vocabulary as u32,
            stride: stride as u32,
        };
        Ok(Launch { arguments, rows: rows.len(), logprobs, tops })
    }

    /// Waits for the launch and reads its result for each row; `None` if the reference sampler has to draw the row.
    pub(crate) fn answers(&mut self, launch: &Launch, rows: &[SampleRow<'_>]) -> Result<Vec<Option<Sampled>>> {
        self.answers.clear();
        self.answers.resize(launch.rows * DRAWN_WORDS + launch.tops * TOP_WORDS, 0);
        let memory = self.drawn.as_ref().ok_or_else(|| Error::internal("nothing was asked to be drawn"))?;
        memory.read(0, bytes_of_mut(&mut self.answers))?;
        let (drawn, tops) = self.answers.split_at(launch.rows * DRAWN_WORDS);
        let mut rest = tops.as_chunks().0;
        let answer = |(row, drawn): (&SampleRow<'_>, &[u32; DRAWN_WORDS])| {
            let wanted = row.params.logprobs;
            let room = wanted.filter(|wanted| *wanted <= MOST_TOPS).unwrap_or(0) as usize;
            let (tops, others) = rest.split_at(room.min(rest.len()));
            rest = others;
            sampled(drawn, wanted, tops, launch.arguments.vocabulary)
        };
        Ok(rows.iter().zip(drawn.as_chunks().0).map(answer).collect())
    }
}

/// The places of a row's parts in one launch.
struct Places {
    /// The offset of its mask in words, or [`NONE`].
    mask: u32,
    first_edit: u32,
    edits: u32,
    /// The copy of its logits in which the edits are made.
    copy: u32,
    /// The offset of its most likely tokens, or [`NONE`].
    top: u32,
}

/// The number of most likely tokens that the kernel computes; `None` if the row wants none, or so many that the
/// reference sampler draws it.
fn wanted_tops(row: &SampleRow<'_>) -> Option<u32> {
    row.params.logprobs.filter(|wanted| *wanted <= MOST_TOPS)
}

/// A row as the kernel reads it: `Row` in `kernels/prelude.cuh`.
fn row_words(row: &SampleRow<'_>, places: &Places) -> [u32; 16] {
    let params = row.params;
    let least = if params.min_p > 0.0 { (f64::from(params.min_p) * WEIGHT_ONE as f64).ceil() as u64 } else { 0 };
    // A weight of 0 is no candidate.
    let least = least.max(1);
    [
        least as u32,
        (least >> 32) as u32,
        row.row,
        places.mask,
        places.first_edit,
        places.edits,
        places.copy,
        params.top_k,
        params.temperature.to_bits(),
        row.uniform.to_bits(),
        params.top_p.to_bits(),
        params.repetition_penalty.to_bits(),
        params.presence_penalty.to_bits(),
        params.frequency_penalty.to_bits(),
        places.top,
        wanted_tops(row).unwrap_or(0),
    ]
}

/// The result of a row, from the kernel's numbers.
fn sampled(
    drawn: &[u32; DRAWN_WORDS],
    wanted: Option<u32>,
    tops: &[[u32; TOP_WORDS]],
    vocabulary: u32,
) -> Option<Sampled> {
    let [token, status, logit, largest, sum_low, sum_high] = *drawn;
    if status != 0 {
        return None;
    }
    let Some(wanted) = wanted else { return Some(Sampled { token, ..Sampled::default() }) };
    if wanted > MOST_TOPS {
        return None;
    }
    let sum = f64::from_bits(u64::from(sum_high) << 32 | u64::from(sum_low));
    let normalizer = log_normalizer(f32::from_bits(largest), sum);
    let logprob = |bits: u32| logprob(f32::from_bits(bits), normalizer);
    // The vocabulary may be smaller than the requested number.
    let tops = tops.iter().take(vocabulary as usize).map(|[token, logit]| (*token, logprob(*logit)));
    Some(Sampled { token, logprob: logprob(logit), top_logprobs: tops.collect() })
}

/// Grows memory to at least `bytes`.
fn grown<'a>(memory: &'a mut Option<Allocation>, runtime: &Arc<dyn Runtime>, bytes: usize) -> Result<&'a Allocation> {
    if memory.as_ref().is_none_or(|memory| memory.bytes() < bytes) {
        // The old memory is freed first: both may not fit.
        *memory = None;
        *memory = Some(Allocation::new(runtime, bytes.next_power_of_two().max(1 << 12))?);
    }
    memory.as_ref().ok_or_else(|| Error::internal("memory that was just allocated is not there"))
}

/// A change of a token's logit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edit {
    token: u32,
    kind: u32,
    bits: u32,
}

fn has_edits(row: &SampleRow<'_>) -> bool {
    !row.params.logit_bias.is_empty() || row.params.has_penalties() || !row.banned.is_empty()
}

/// The set of tokens of a prompt and an output. It is empty between rows. Its memory is kept, since prompts are long
/// and a step has many rows.
#[derive(Debug, Default)]
struct Seen {
    /// A bit for each token.
    bits: Vec<u64>,
    /// The number of occurrences of each token in the output.
    counts: Vec<u32>,
}

impl Seen {
    /// Appends the penalties in the order of tokens, without sorting the prompt. All tokens are below `vocabulary`.
    fn penalties(&mut self, prompt: &[u32], output: &[u32], vocabulary: usize, edits: &mut Vec<Edit>) {
        self.bits.resize(vocabulary.div_ceil(64), 0);
        self.counts.resize(vocabulary, 0);
        for &token in prompt.iter().chain(output) {
            self.bits[token as usize / 64] |= 1 << (token % 64);
        }
        for &token in output {
            self.counts[token as usize] += 1;
        }
        for (word, bits) in self.bits.iter_mut().enumerate() {
            let mut rest = std::mem::take(bits);
            while rest != 0 {
                let token = word as u32 * 64 + rest.trailing_zeros();
                rest &= rest - 1;
                edits.push(Edit { token, kind: PENALTY, bits: std::mem::take(&mut self.counts[token as usize]) });
            }
        }
    }
}

/// Appends the edits of a row in the order of tokens, and those of one token in the order of
/// [`jig_plugin_api::sampler`].
fn edits_of(row: &SampleRow<'_>, vocabulary: usize, seen: &mut Seen, edits: &mut Vec<Edit>) -> Result<()> {
    let first = edits.len();
    let out_of_range = |field: &str, token: u32| {
        Error::invalid_argument(format!("{field} holds token {token}, and the logits end at {vocabulary}"))
    };
    for &(token, bias) in &row.params.logit_bias {
        if token as usize >= vocabulary {
            return Err(out_of_range("logit_bias", token));
        }
        edits.push(Edit { token, kind: BIAS, bits: bias.to_bits() });
    }
    if row.params.has_penalties() {
        for (field, tokens) in [("prompt", row.prompt), ("output", row.output)] {
            if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
                return Err(out_of_range(field, token));
            }
        }
        seen.penalties(row.prompt, row.output, vocabulary, edits);
    }
    // A banned token outside the vocabulary needs no edit.
    let banned = row.banned.iter().filter(|&&token| (token as usize) < vocabulary);
    edits.extend(banned.map(|&token| Edit { token, kind: BANNED, bits: 0 }));
    edits[first..].sort_by_key(|edit| (edit.token, edit.kind));
    Ok(())
}

const _: () = assert!(EDIT_WORDS * 4 == size_of::<Edit>());

#[cfg(test)]
mod tests {
    use super::*;
    use jig_plugin_api::SamplingParams;

    #[test]
    fn edits_are_in_the_order_of_tokens_and_of_the_reference() {
        let params = SamplingParams {
            logit_bias: vec![(9, 1.0), (3, 2.0), (9, -0.5)],
            repetition_penalty: 1.5,
            ..SamplingParams::default()
        };
        let (prompt, output, banned) = ([3, 9, 3], [9, 5, 9], [9, 77]);
        let row = SampleRow {
            row: 0,
            mask: &[],
            banned: &banned,
            params: &params,
            uniform: 0.0,
            prompt: &prompt,
            output: &output,
        };
        let mut edits = Vec::new();
        let mut seen = Seen::default();
        edits_of(&row, 10, &mut seen, &mut edits).unwrap();
        let found: Vec<_> = edits.iter().map(|edit| (edit.token, edit.kind, edit.bits)).collect();
        let right = [
            (3, BIAS, 2.0f32.to_bits()),
            (3, PENALTY, 0),
            (5, PENALTY, 1),
            (9, BIAS, 1.0f32.to_bits()),
            (9, BIAS, (-0.5f32).to_bits()),
            (9, PENALTY, 2),
            (9, BANNED, 0),
        ];
        assert_eq!(found, right);
        // Nothing of a row is left for the next one.
        edits.clear();
        edits_of(&SampleRow { prompt: &[2], output: &[5], ..row }, 10, &mut seen, &mut edits).unwrap();
        let penalties: Vec<_> = edits.iter().filter(|edit| edit.kind == PENALTY).map(|edit| edit.token).collect();
        assert_eq!(penalties, [2, 5]);
        assert!(edits_of(&row, 9, &mut seen, &mut edits).unwrap_err().message.contains("logit_bias holds token 9"));
    }

    #[test]
    fn rows_whose_copies_would_take_too_much_wait_for_another_launch() {
        let (plain, banned) = (SamplingParams::default(), [1]);
        let row =
            |banned| SampleRow { row: 0, mask: &[], banned, params: &plain, uniform: 0.0, prompt: &[], output: &[] };
        let rows = [row(&[]), row(&banned), row(&[]), row(&banned), row(&banned)];
        assert_eq!(Drawing::fit(&rows, COPY_BYTES / 8), 4);
        assert_eq!(Drawing::fit(&rows, COPY_BYTES), 3);
        assert_eq!(Drawing::fit(&rows, 100), 5);
    }
}
