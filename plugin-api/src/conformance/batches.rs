//! `forward`: rows, batches, chunks, and what it refuses.

use super::case::{Case, Check};
use super::subject::{Subject, Verdict, ensure, refused};
use crate::{Chunk, ErrorCode, LogitsWanted, SequenceId};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "forward.rows",
        promise: "rows are numbered in the order of the chunks: none, the last, or all of a chunk's tokens",
        check: Check::Model(rows),
    },
    Case {
        name: "forward.rows-end",
        promise: "a row past the end, and a row of an earlier forward, is refused",
        check: Check::Model(rows_end),
    },
    Case {
        name: "forward.batch",
        promise: "a batch of mixed lengths, prefill beside decode, gives what each sequence gives alone",
        check: Check::Model(batch),
    },
    Case {
        name: "forward.chunks",
        promise: "a prompt in chunks gives what it gives as a whole",
        check: Check::Model(chunks),
    },
    Case {
        name: "forward.refusals",
        promise: "an empty chunk, a bad token, a sequence twice and too many tokens are refused and change nothing",
        check: Check::Model(refusals),
    },
];

fn chunk(sequence: SequenceId, tokens: &[u32], logits: LogitsWanted) -> Chunk<'_> {
    Chunk { sequence, tokens, logits }
}

fn rows(subject: &mut Subject) -> Verdict {
    let (none, all, last) = (subject.tokens(3), subject.tokens(4), subject.tokens(5));
    let sequences = [subject.open()?, subject.open()?, subject.open()?];
    subject.model.forward(&[
        chunk(sequences[0], &none, LogitsWanted::None),
        chunk(sequences[1], &all, LogitsWanted::All),
        chunk(sequences[2], &last, LogitsWanted::Last),
    ])?;
    let mut found = Vec::new();
    for row in 0..=all.len() as u32 {
        found.push(subject.logits(row)?);
    }
    for (index, found) in found.iter().enumerate() {
        let prefix = if index < all.len() { &all[..=index] } else { &last[..] };
        let expected = subject.alone(prefix)?;
        subject.same(format_args!("row {index}"), found, &expected)?;
    }
    let next = subject.tokens(1);
    let found = subject.append(sequences[0], &next)?;
    let expected = subject.alone(&[none, next].concat())?;
    subject.same("after a chunk without logits", &found, &expected)
}

fn rows_end(subject: &mut Subject) -> Verdict {
    let tokens = subject.tokens(3);
    let sequence = subject.open()?;
    let codes = &[ErrorCode::InvalidArgument];
    subject.model.forward(&[chunk(sequence, &tokens, LogitsWanted::All)])?;
    for row in [tokens.len() as u32, u32::MAX] {
        refused(format_args!("row {row} of {}", tokens.len()), subject.model.logits(row), codes)?;
    }
    subject.model.forward(&[chunk(sequence, &tokens[..1], LogitsWanted::None)])?;
    refused("row 0 of a forward without logits", subject.model.logits(0), codes)?;
    Ok(())
}

fn batch(subject: &mut Subject) -> Verdict {
    let mut prefixes = Vec::new();
    let mut chunks = Vec::new();
    for (before, added) in [(0, 1), (17, 1), (3, 9), (0, 23), (31, 1), (8, 2)] {
        prefixes.push(if before == 0 { Vec::new() } else { subject.tokens(before) });
        chunks.push(subject.tokens(added));
    }
    // A small limit on a batch leaves room for fewer of them.
    let mut room = subject.spec.max_batch_tokens as usize;
    let fitting = chunks.iter().take_while(|tokens| {
        let fits = tokens.len() <= room;
        room = room.saturating_sub(tokens.len());
        fits
    });
    let count = fitting.count();
    let mut sequences = Vec::new();
    for prefix in &prefixes[..count] {
        sequences.push(if prefix.is_empty() { subject.open()? } else { subject.prefill(prefix)? });
    }
    let batch: Vec<Chunk<'_>> =
        sequences.iter().zip(&chunks).map(|(&sequence, tokens)| chunk(sequence, tokens, LogitsWanted::Last)).collect();
    subject.model.forward(&batch)?;
    let mut found = Vec::new();
    for row in 0..count as u32 {
        found.push(subject.logits(row)?);
    }
    for (index, found) in found.iter().enumerate() {
        let whole = [&prefixes[index][..], &chunks[index]].concat();
        let expected = subject.alone(&whole)?;
        subject.same(format_args!("sequence {index} of the batch, {} tokens", whole.len()), found, &expected)?;
    }
    Ok(())
}

fn chunks(subject: &mut Subject) -> Verdict {
    let tokens = subject.tokens(40);
    let expected = subject.alone(&tokens)?;
    for size in [1, 7, 16] {
        let sequence = subject.open()?;
        let mut found = Vec::new();
        for part in tokens.chunks(size) {
            found = subject.append(sequence, part)?;
        }
        subject.same(format_args!("in chunks of {size}"), &found, &expected)?;
        subject.close(sequence)?;
    }
    Ok(())
}

fn refusals(subject: &mut Subject) -> Verdict {
    let tokens = subject.tokens(5);
    let bystander = subject.prefill(&tokens)?;
    let sequence = subject.prefill(&tokens)?;
    let good = subject.tokens(2);
    let bad_token = [good[0], subject.info.vocab_size];
    let too_long = vec![good[0]; subject.info.max_model_len as usize - tokens.len() + 1];
    let last = LogitsWanted::Last;
    let batches: [(&str, Chunk<'_>); 5] = [
        ("an empty chunk", chunk(sequence, &[], last)),
        ("a token past the vocabulary", chunk(sequence, &bad_token, last)),
        ("the token u32::MAX", chunk(sequence, &[u32::MAX], last)),
        ("a chunk past max_model_len", chunk(sequence, &too_long, last)),
        ("a sequence twice in a batch", chunk(bystander, &good, last)),
    ];
    let before = subject.memory();
    for (what, bad) in batches {
        // The good chunk comes first: it must not have been appended either.
        let batch = [chunk(bystander, &good, last), bad];
        refused(what, subject.model.forward(&batch), &[ErrorCode::InvalidArgument])?;
        let after = subject.memory();
        ensure(before == after, || format!("{what} changed the memory from {before:?} to {after:?}"))?;
    }
    let next = subject.tokens(2);
    let expected = subject.alone(&[&tokens[..], &next].concat())?;
    for sequence in [bystander, sequence] {
        let found = subject.append(sequence, &next)?;
        subject.same("a sequence of the refused batches", &found, &expected)?;
    }
    Ok(())
}
