//! Memory: what is in use, that it comes back, and what happens when it runs out.

use super::case::{Case, Check};
use super::subject::{Stop, Subject, Verdict, ensure, fail};
use crate::{Backend, Chunk, ErrorCode, LogitsWanted, ModelSpec};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "memory.use",
        promise: "sequences take no more blocks than their tokens need",
        check: Check::Model(usage),
    },
    Case {
        name: "memory.returns",
        promise: "nothing is in use after all sequences are closed",
        check: Check::Model(returns),
    },
    Case {
        name: "memory.runs-out",
        promise: "running out of memory changes nothing, and closing a sequence makes room",
        check: Check::Backend(runs_out),
    },
];

fn usage(subject: &mut Subject) -> Verdict {
    let empty = subject.memory();
    ensure(empty.block_tokens > 0, || "block_tokens is 0".to_owned())?;
    ensure(empty.total_blocks > 0 && empty.kv_capacity_bytes > 0, || format!("no capacity: {empty:?}"))?;
    for length in [1, 15, 16, 17, 40] {
        let tokens = subject.tokens(length);
        let before = subject.memory().used_blocks;
        subject.prefill(&tokens)?;
        let memory = subject.memory();
        let most = (tokens.len() as u32).div_ceil(empty.block_tokens);
        let taken = memory.used_blocks.saturating_sub(before);
        ensure(taken <= most, || format!("{} tokens took {taken} blocks instead of {most}", tokens.len()))?;
        let within = memory.used_blocks <= memory.total_blocks && memory.kv_used_bytes <= memory.kv_capacity_bytes;
        ensure(within, || format!("more in use than there is: {memory:?}"))?;
        ensure(memory.kv_used_bytes > 0, || "kv_used_bytes is 0 with tokens in a sequence".to_owned())?;
    }
    Ok(())
}

fn returns(subject: &mut Subject) -> Verdict {
    let mut sequences = Vec::new();
    for _ in 0..8 {
        let tokens = subject.tokens(33);
        let parent = subject.prefill(&tokens)?;
        let child = subject.fork(parent, tokens.len() as u32 / 2)?;
        let next = subject.tokens(3);
        subject.append(child, &next)?;
        subject.model.truncate(parent, 1)?;
        sequences.extend([parent, child]);
    }
    // Parents and children in turn, so that each outlives the other somewhere.
    while let Some(sequence) = sequences.pop() {
        subject.close(sequence)?;
        sequences.reverse();
    }
    let memory = subject.memory();
    let empty = memory.open_sequences == 0 && memory.used_blocks == 0 && memory.kv_used_bytes == 0;
    ensure(empty, || format!("still in use: {memory:?}"))
}

/// The most tokens that the case appends before it gives up.
const MOST_TOKENS: usize = 1 << 16;

fn runs_out(backend: &dyn Backend, spec: &ModelSpec) -> Verdict {
    let skipped = |reason: String| Err(Stop::Skipped(reason));
    let probe = Subject::load(backend, spec)?;
    let memory = probe.memory();
    drop(probe);
    if memory.weight_bytes > 4 << 30 {
        return skipped(format!("weights of {} bytes are not loaded for this", memory.weight_bytes));
    }
    // Room for sixteen blocks, if the backend goes that low.
    let block_bytes = memory.kv_capacity_bytes / u64::from(memory.total_blocks.max(1));
    let small = ModelSpec {
        kv_cache_bytes: Some(block_bytes.saturating_mul(16).max(1)),
        max_model_len: Some(memory.block_tokens.saturating_mul(8)),
        max_sequences: 4,
        ..spec.clone()
    };
    let mut subject = match Subject::load(backend, &small) {
        Ok(subject) => subject,
        Err(Stop::Failed(reason) | Stop::Skipped(reason)) => {
            return skipped(format!("the backend does not take a KV cache of 16 blocks: {reason}"));
        }
    };
    let length = (subject.info.max_model_len as usize / 2).clamp(1, 256).min(small.max_batch_tokens as usize);
    let tokens: Vec<u32> = (0..length).map(|_| subject.random.below(subject.info.vocab_size)).collect();
    let next = tokens[0];

    let witness = subject.prefill(&tokens)?;
    let mut sequences = Vec::new();
    for _ in 0..MOST_TOKENS / length {
        let before = subject.memory();
        let sequence = match subject.model.open() {
            Ok(sequence) => sequence,
            Err(error) if error.code == ErrorCode::OutOfMemory => {
                return finish(&mut subject, &tokens, witness, sequences, before.used_blocks);
            }
            Err(error) => return Err(error.into()),
        };
        let chunk = Chunk { sequence, tokens: &tokens, logits: LogitsWanted::Last };
        match subject.model.forward(&[Chunk { sequence: witness, tokens: &[next], ..chunk }, chunk]) {
            Ok(()) => {
                subject.model.truncate(witness, length as u32)?;
                sequences.push(sequence);
            }
            Err(error) if error.code == ErrorCode::OutOfMemory => {
                subject.model.close(sequence)?;
                return finish(&mut subject, &tokens, witness, sequences, before.used_blocks);
            }
            Err(error) => return Err(error.into()),
        }
    }
    skipped(format!("memory did not run out within {MOST_TOKENS} tokens"))
}

/// After `OutOfMemory`: nothing has changed, and closing a sequence makes room for another.
fn finish(
    subject: &mut Subject,
    tokens: &[u32],
    witness: crate::SequenceId,
    mut sequences: Vec<crate::SequenceId>,
    used_before: u32,
) -> Verdict {
    let used = subject.memory().used_blocks;
    ensure(used == used_before, || format!("{used_before} blocks were in use before, and {used} after"))?;
    let Some(victim) = sequences.pop() else {
        return fail("there was no room for a second sequence");
    };
    subject.close(victim)?;
    let again = subject.prefill(tokens)?;
    subject.close(again)?;
    let found = subject.append(witness, &tokens[..1])?;
    for sequence in sequences {
        subject.close(sequence)?;
    }
    subject.model.truncate(witness, 0)?;
    let expected = subject.append(witness, &[tokens, &tokens[..1]].concat())?;
    subject.same("a sequence that was there when memory ran out", &found, &expected)
}
