//! Both caches against lists of tokens, with a graph that writes each token as its own key and value.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::growing::Growing;
use super::shared::Shared;
use super::*;
use crate::driver::{Card, fake};

fn shape() -> Shape {
    Shape { tensors: vec![(2, 3), (1, 2)], element: 4 }
}

/// Host memory, and that of a fake GPU.
fn places() -> [Place; 2] {
    [Place::Processor, Place::Card(Arc::new(Card::open(fake::DRIVER, 0).expect("a card")))]
}

/// What element `index` of a slot holds for a token.
fn element(token: u32, tensor: usize, head: usize, index: usize) -> u32 {
    token * 100 + (tensor * 10 + head * 4 + index) as u32
}

/// An element of a tensor that a run was given.
///
/// # Safety
/// The tensors are there.
unsafe fn at(base: *mut c_void, heads: usize, slots: usize, width: usize, place: [usize; 4]) -> *mut u32 {
    let [row, head, slot, index] = place;
    // SAFETY: the caller's.
    unsafe { base.cast::<u32>().add(((row * heads + head) * slots + slot) * width + index) }
}

/// Runs the graph: copies past to present where they are two, and writes the new tokens.
fn run(cache: &mut dyn Cache, sequences: &[SequenceId], tokens: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let bound = cache.prepare(sequences, tokens[0].len()).expect("room");
    let count = tokens[0].len();
    let mut seen = vec![Vec::new(); sequences.len()];
    for (tensor, (heads, width)) in shape().tensors.into_iter().enumerate() {
        let (past, present) = (bound.past[tensor], bound.present[tensor]);
        for (row, &index) in bound.order.iter().enumerate() {
            let first_new = bound.seen[row].end - count;
            assert_eq!(first_new - bound.seen[row].start, bound.lengths[row]);
            for head in 0..heads {
                for slot in 0..bound.seen[row].end {
                    for i in 0..width {
                        // SAFETY: all indices lie inside of the tensors that `prepare` gave.
                        unsafe {
                            let to = at(present, heads, bound.present_slots, width, [row, head, slot, i]);
                            if slot >= first_new {
                                *to = element(tokens[index][slot - first_new], tensor, head, i);
                            } else if past != present {
                                *to = *at(past, heads, bound.past_slots, width, [row, head, slot, i]);
                            }
                            let token = *to / 100;
                            if bound.seen[row].contains(&slot) {
                                assert_eq!(*to, element(token, tensor, head, i), "a slot is of one token");
                                if (tensor, head, i) == (0, 0, 0) {
                                    seen[index].push(token);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    cache.commit();
    seen
}

#[derive(Clone, Debug)]
enum Step {
    Run { which: Vec<usize>, tokens: usize },
    Fork { which: usize, share: usize },
    Truncate { which: usize, share: usize },
    Close { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop::collection::vec(0..8usize, 1..6), 1..5usize).prop_map(|(which, tokens)| Step::Run { which, tokens }),
        1 => (0..8usize, 0..=4usize).prop_map(|(which, share)| Step::Fork { which, share }),
        1 => (0..8usize, 0..=4usize).prop_map(|(which, share)| Step::Truncate { which, share }),
        1 => (0..8usize).prop_map(|which| Step::Close { which }),
    ]
}

fn holds_what_lists_hold(cache: &mut dyn Cache, steps: Vec<Step>) {
    let mut lists: HashMap<SequenceId, Vec<u32>> = HashMap::new();
    let (mut open, mut next, mut token): (Vec<SequenceId>, u64, u32) = (Vec::new(), 0, 0);
    for step in steps {
        while open.len() < 8 {
            open.push(SequenceId(next));
            next += 1;
        }
        match step {
            Step::Run { mut which, tokens } => {
                which.sort_unstable_by_key(|which| which * 5 % 8);
                which.dedup();
                let sequences: Vec<_> = which.iter().map(|which| open[*which]).collect();
                let new: Vec<Vec<u32>> = sequences
                    .iter()
                    .map(|_| {
                        token += tokens as u32;
                        (token - tokens as u32..token).collect()
                    })
                    .collect();
                let found = run(cache, &sequences, &new);
                for ((sequence, new), found) in sequences.iter().zip(new).zip(found) {
                    let list = lists.entry(*sequence).or_default();
                    list.extend(new);
                    assert_eq!((&found, cache.length(*sequence)), (&*list, list.len()));
                }
            }
            Step::Fork { which, share } => {
                let parent = lists.get(&open[which]).cloned().unwrap_or_default();
                let (child, length) = (SequenceId(next), parent.len() * share / 4);
                next += 1;
                cache.fork(open[which], child, length).expect("room");
                lists.insert(child, parent[..length].to_vec());
                let closed = std::mem::replace(&mut open[(which + 1) % 8], child);
                cache.close(closed).expect("closed");
            }
            Step::Truncate { which, share } => {
                let list = lists.entry(open[which]).or_default();
                list.truncate(list.len() * share / 4);
                cache.truncate(open[which], list.len()).expect("room");
                assert_eq!(cache.length(open[which]), list.len());
            }
            Step::Close { which } => cache.close(open.swap_remove(which)).expect("closed"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_growing_cache_holds_what_lists_hold(steps in prop::collection::vec(step(), 1..40)) {
        for place in places() {
            holds_what_lists_hold(&mut Growing::new(place, shape()), steps.clone());
        }
    }

    #[test]
    fn a_shared_cache_holds_what_lists_hold(steps in prop::collection::vec(step(), 1..40)) {
        for place in places() {
            holds_what_lists_hold(&mut Shared::new(place, shape(), 1000), steps.clone());
        }
    }
}

#[test]
fn a_group_that_goes_on_is_not_copied() {
    let mut cache = Growing::new(Place::Processor, shape());
    let sequences = [SequenceId(1), SequenceId(2)];
    run(&mut cache, &sequences, &[vec![1], vec![2]]);
    let first = cache.prepare(&sequences, 1).expect("room");
    cache.commit();
    let second = cache.prepare(&[sequences[1], sequences[0]], 1).expect("room");
    assert_eq!((first.present, second.order), (second.past, vec![1, 0]));
}

#[test]
fn too_large_a_cache_is_out_of_memory_and_no_overflow() {
    let mut cache = Shared::new(Place::Processor, shape(), usize::MAX / 2);
    let error = cache.prepare(&[SequenceId(1)], usize::MAX / 4).expect_err("too much");
    assert_eq!(error.code, jig_plugin_api::ErrorCode::OutOfMemory);
}
