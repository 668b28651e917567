//! Handles of sequences: open, fork, truncate, close.

use super::case::{Case, Check};
use super::subject::{Subject, Verdict, ensure, refused};
use crate::{Chunk, ErrorCode, LogitsWanted};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "info",
        promise: "the model says what it is, and keeps to the limits asked for",
        check: Check::Model(info),
    },
    Case {
        name: "sequence.handles",
        promise: "handles are distinct and never used again",
        check: Check::Model(handles),
    },
    Case {
        name: "sequence.closed",
        promise: "a closed sequence is refused by every call",
        check: Check::Model(closed),
    },
    Case {
        name: "sequence.fork",
        promise: "a fork goes on as a new sequence with the same tokens would",
        check: Check::Model(fork),
    },
    Case {
        name: "sequence.fork-independent",
        promise: "what happens to a fork or to its parent does not touch the other",
        check: Check::Model(fork_independent),
    },
    Case {
        name: "sequence.truncate",
        promise: "after truncation, other tokens can follow as if the rest had never been",
        check: Check::Model(truncate),
    },
    Case {
        name: "sequence.bounds",
        promise: "a fork or a truncation past the end is refused and changes nothing",
        check: Check::Model(bounds),
    },
];

fn info(subject: &mut Subject) -> Verdict {
    let info = subject.model.info();
    for (field, value) in [("architecture", &info.architecture), ("dtype", &info.dtype), ("device", &info.device)] {
        ensure(!value.trim().is_empty(), || format!("{field} is empty"))?;
    }
    if let Some(limit) = subject.spec.max_model_len {
        let length = info.max_model_len;
        ensure(length <= limit, || format!("max_model_len is {length}, and {limit} was asked for"))?;
    }
    ensure(info == subject.info, || "it describes itself in another way when asked again".to_owned())
}

fn handles(subject: &mut Subject) -> Verdict {
    let first = subject.open()?;
    let second = subject.open()?;
    ensure(first != second, || format!("two open sequences are both {first:?}"))?;
    let open = subject.memory().open_sequences;
    ensure(open == 2, || format!("open_sequences is {open} with 2 open"))?;
    subject.close(first)?;
    let third = subject.open()?;
    ensure(third != first && third != second, || format!("the handle {third:?} was given out again"))
}

fn closed(subject: &mut Subject) -> Verdict {
    let tokens = subject.tokens(4);
    let sequence = subject.prefill(&tokens)?;
    subject.close(sequence)?;
    let codes = &[ErrorCode::InvalidArgument];
    refused("closing a closed sequence", subject.model.close(sequence), codes)?;
    refused("forking a closed sequence", subject.model.fork(sequence, 0), codes)?;
    refused("truncating a closed sequence", subject.model.truncate(sequence, 0), codes)?;
    let chunk = Chunk { sequence, tokens: &tokens, logits: LogitsWanted::Last };
    refused("appending to a closed sequence", subject.model.forward(&[chunk]), codes)?;
    Ok(())
}

fn fork(subject: &mut Subject) -> Verdict {
    let tokens = subject.tokens(40);
    let next = subject.tokens(3);
    let parent = subject.prefill(&tokens)?;
    // In the middle of a block, at its end, and all of it.
    let lengths = [1, tokens.len() / 2, tokens.len().min(16), tokens.len()];
    for length in lengths {
        let child = subject.fork(parent, length as u32)?;
        let found = subject.append(child, &next)?;
        let expected = subject.alone(&[&tokens[..length], &next[..]].concat())?;
        subject.same(format_args!("forked at {length} of {}", tokens.len()), &found, &expected)?;
    }
    let child = subject.fork(parent, 0)?;
    let found = subject.append(child, &next)?;
    let expected = subject.alone(&next)?;
    subject.same("forked at 0", &found, &expected)
}

fn fork_independent(subject: &mut Subject) -> Verdict {
    let tokens = subject.tokens(21);
    let (ours, theirs, last) = (subject.tokens(5), subject.tokens(5), subject.tokens(2));
    let parent = subject.prefill(&tokens)?;
    let child = subject.fork(parent, tokens.len() as u32)?;
    subject.append(child, &theirs)?;
    let found = subject.append(parent, &ours)?;
    let expected = subject.alone(&[&tokens[..], &ours].concat())?;
    subject.same("the parent, after its fork went another way", &found, &expected)?;
    subject.close(parent)?;
    let found = subject.append(child, &last)?;
    let expected = subject.alone(&[&tokens[..], &theirs, &last].concat())?;
    subject.same("the fork, after its parent was closed", &found, &expected)
}

fn truncate(subject: &mut Subject) -> Verdict {
    let tokens = subject.tokens(36);
    let next = subject.tokens(7);
    let sequence = subject.prefill(&tokens)?;
    let mut length = tokens.len();
    for shorter in [tokens.len() - 1, tokens.len() / 2, 1, 0] {
        ensure(shorter <= length, || "the kit's own fault".to_owned())?;
        length = shorter;
        subject.model.truncate(sequence, length as u32)?;
        let found = subject.append(sequence, &next)?;
        let expected = subject.alone(&[&tokens[..length], &next[..]].concat())?;
        subject.same(format_args!("truncated to {length}"), &found, &expected)?;
        subject.model.truncate(sequence, length as u32)?;
    }
    Ok(())
}

fn bounds(subject: &mut Subject) -> Verdict {
    let tokens = subject.tokens(6);
    let next = subject.tokens(2);
    let sequence = subject.prefill(&tokens)?;
    let before = subject.memory();
    let past = tokens.len() as u32 + 1;
    for length in [past, u32::MAX] {
        refused("a fork past the end", subject.model.fork(sequence, length), &[ErrorCode::InvalidArgument])?;
        refused("a truncation past the end", subject.model.truncate(sequence, length), &[ErrorCode::InvalidArgument])?;
    }
    let after = subject.memory();
    ensure(before == after, || format!("the memory changed from {before:?} to {after:?}"))?;
    let found = subject.append(sequence, &next)?;
    let expected = subject.alone(&[&tokens[..], &next].concat())?;
    subject.same("after refusals", &found, &expected)
}
