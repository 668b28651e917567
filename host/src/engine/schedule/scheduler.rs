//! Who runs: outputs are admitted as memory allows, the tokens of a step are divided among them, and when memory runs out
//! the newest output is suspended.
//!
//! ```text
//! unstarted --admit--> running --plan--> a batch of turns --> running, or ended
//!                        |  ^
//!                suspend v  | admit
//!                      suspended   (no memory; prompt and output are computed again)
//! ```
//!
//! Requests take turns: the next output to be admitted is one of the request with the fewest that run, the oldest of them where several have
//! as few. The second and further outputs of a request leave some places free, so that a request that comes while one of many outputs runs
//! need not wait for one of these to end.
//!
//! The oldest output is never suspended for a newer one, so it advances in every step. Each output becomes the oldest in time, so none
//! starves.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use jig_plugin_api::{Error, ErrorCode, Model, SequenceId};

use super::blocks::Blocks;
use crate::engine::kept::Answer;
use crate::engine::sequence::{Job, Sequence};
use crate::request::Failure;

/// One in so many places is kept for the first outputs of requests.
const KEPT_FOR_FIRST: usize = 8;
/// How long the client of a failed request has to give the memory of its answer back, before another request fails.
const GIVES_BACK_WITHIN: Duration = Duration::from_secs(1);

/// All requests that the engine has, and which of their outputs hold memory.
pub(in crate::engine) struct Scheduler {
    max_num_seqs: usize,
    max_num_batched_tokens: usize,
    /// Every request that is not over.
    jobs: BTreeMap<u64, Arc<Job>>,
    /// Those of them of which outputs were not started, by age.
    unstarted: BTreeMap<u64, Unstarted>,
    /// Outputs without memory, by age.
    suspended: BTreeMap<(u64, u32), Sequence>,
    /// Outputs with memory.
    running: Vec<Sequence>,
    /// Set when memory ran out: a suspended output is not admitted again before the others have made a step, or they would take
    /// memory from each other for ever.
    admission_paused: bool,
    /// The answer of the last request that failed since answers took too much memory.
    failed_for_memory: Option<(Weak<Answer>, Instant)>,
    pub(in crate::engine) counters: Counters,
}

/// A request of which outputs were not started.
struct Unstarted {
    job: Arc<Job>,
    /// The first of them.
    next: u32,
}

impl Unstarted {
    fn has_not_begun(&self) -> bool {
        self.next == 0
    }
}

/// An output that could be admitted next.
#[derive(Clone, Copy)]
enum Candidate {
    Suspended((u64, u32)),
    Unstarted(u64),
}

/// By which the least goes next: the outputs of its request that run, and its age.
type Order = (usize, (u64, u32));

/// What happened, counted from the start.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Counters {
    /// Requests that left the waiting line, in whatever way.
    pub(in crate::engine) left_waiting: u64,
    pub(in crate::engine) prompt_tokens: u64,
    pub(in crate::engine) preemptions: u64,
    pub(in crate::engine) finished: u64,
    pub(in crate::engine) failed: u64,
    pub(in crate::engine) cancelled: u64,
}

/// What an output does in a step.
pub(in crate::engine) struct Turn {
    pub(in crate::engine) sequence: Sequence,
    /// The number of its pending tokens that are computed.
    pub(in crate::engine) tokens: usize,
    /// The row of logits after them, where its next token is drawn from.
    pub(in crate::engine) row: Option<u32>,
    /// The row after the first of them, where there is one after each.
    pub(in crate::engine) first_row: Option<u32>,
}

impl Scheduler {
    pub(in crate::engine) fn new(max_num_seqs: usize, max_num_batched_tokens: usize) -> Self {
        let max_num_batched_tokens = max_num_batched_tokens.max(1);
        Self {
            // Every output that decodes has a token in each step.
            max_num_seqs: max_num_seqs.clamp(1, max_num_batched_tokens),
            max_num_batched_tokens,
            jobs: BTreeMap::new(),
            unstarted: BTreeMap::new(),
            suspended: BTreeMap::new(),
            running: Vec::new(),
            admission_paused: false,
            failed_for_memory: None,
            counters: Counters::default(),
        }
    }

    pub(in crate::engine) fn add(&mut self, job: Arc<Job>) {
        self.jobs.insert(job.number, job.clone());
        self.unstarted.insert(job.number, Unstarted { job, next: 0 });
    }

    pub(in crate::engine) fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Fails all, since the server ends.
    pub(in crate::engine) fn fail_all(&self) {
        self.jobs.values().for_each(|job| job.fail(Failure::Draining));
    }

    /// Fails the request whose answer takes the most memory.
    ///
    /// Its client gives the memory back as soon as it learns of it. Until then no other request fails in its place.
    pub(in crate::engine) fn fail_largest_answer(&mut self) {
        let gives_back = |(answer, since): &(Weak<Answer>, Instant)| {
            answer.strong_count() > 0 && since.elapsed() < GIVES_BACK_WITHIN
        };
        if self.failed_for_memory.as_ref().is_some_and(gives_back) {
            return;
        }
        if let Some(job) = self.jobs.values().filter(|job| !job.is_over()).max_by_key(|job| job.answer.bytes()) {
            job.fail(Failure::TooMuchMemory(job.answer.bytes()));
            self.failed_for_memory = Some((Arc::downgrade(&job.answer), Instant::now()));
        }
    }

    /// Forgets the requests that are over, and frees what their outputs hold.
    pub(in crate::engine) fn sweep(&mut self, model: &mut dyn Model) {
        let counters = &mut self.counters;
        let before = self.jobs.len();
        self.jobs.retain(|_, job| {
            let left = u64::from(job.outputs_left());
            match () {
                () if job.is_finished() => {
                    counters.finished += 1;
                    job.measure();
                }
                () if job.has_failed() => {
                    counters.failed += 1;
                    job.metrics.failed.fetch_add(left, Relaxed);
                }
                () if job.is_cancelled() => {
                    counters.cancelled += 1;
                    job.metrics.aborted.fetch_add(left, Relaxed);
                }
                () => return true,
            }
            false
        });
        if self.jobs.len() == before {
            return;
        }
        self.unstarted.retain(|number, unstarted| {
            let stays = self.jobs.contains_key(number);
            self.counters.left_waiting += u64::from(!stays && unstarted.has_not_begun());
            stays
        });
        self.suspended.retain(|_, sequence| self.jobs.contains_key(&sequence.job.number));
        for mut sequence in self.running.extract_if(.., |sequence| !self.jobs.contains_key(&sequence.job.number)) {
            release(&mut sequence, model);
        }
    }

    /// Starts what may start, as the requests take turns.
    pub(in crate::engine) fn admit(&mut self, model: &mut dyn Model) {
        if std::mem::take(&mut self.admission_paused) && !self.running.is_empty() {
            return;
        }
        let pending: usize = self.running.iter().map(Sequence::pending).sum();
        let mut budget = self.max_num_batched_tokens.saturating_sub(pending);
        while self.running.len() < self.max_num_seqs && budget > 0 {
            let Some((candidate, held)) = self.candidate() else { return };
            if held > 0 && self.places_for_further(self.running.len()) == 0 {
                return;
            }
            let (job, tokens) = match candidate {
                Candidate::Suspended(age) => match self.suspended.get(&age) {
                    Some(sequence) => (&sequence.job, sequence.tokens.len()),
                    None => return,
                },
                Candidate::Unstarted(number) => match self.unstarted.get(&number) {
                    Some(unstarted) => (&unstarted.job, unstarted.job.request.prompt.len()),
                    None => return,
                },
            };
            let blocks = Blocks::of(&model.memory());
            if !blocks.could_hold(tokens + 1) {
                job.fail(does_not_fit(tokens));
            } else if !self.fits(job, tokens, &blocks) {
                return;
            }
            let Some(sequence) = self.take(candidate) else { return };
            budget = budget.saturating_sub(sequence.pending());
            if !sequence.job.is_over() && !self.open(sequence, model) {
                return;
            }
        }
    }

    /// The output whose turn it is, and how many outputs of its request run.
    fn candidate(&self) -> Option<(Candidate, usize)> {
        let mut held: HashMap<u64, usize> = HashMap::new();
        self.running.iter().for_each(|sequence| *held.entry(sequence.job.number).or_default() += 1);
        let held = |number: u64| held.get(&number).copied().unwrap_or(0);
        let suspended = self.suspended.keys().map(|&age| (Candidate::Suspended(age), (held(age.0), age)));
        let unstarted = self
            .unstarted
            .iter()
            .map(|(&number, unstarted)| (Candidate::Unstarted(number), (held(number), (number, unstarted.next))));
        // Both are in the order of age: the first one of a request without any is the best there can be.
        let best = first_or_least(suspended).into_iter().chain(first_or_least(unstarted));
        best.min_by_key(|(_, key)| *key).map(|(candidate, (held, _))| (candidate, held))
    }

    /// The places that outputs of requests that have one already may take beside so many.
    fn places_for_further(&self, taken: usize) -> usize {
        (self.max_num_seqs - self.max_num_seqs / KEPT_FOR_FIRST).saturating_sub(taken)
    }

    /// Whether there is memory for an output of this many tokens, beside what running outputs need for their next token.
    fn fits(&self, job: &Arc<Job>, tokens: usize, blocks: &Blocks) -> bool {
        let reserved: usize = self.running.iter().map(|other| blocks.to_append(other, other.pending() + 1)).sum();
        let shared = self.sibling(job).map_or(0, |_| shared_tokens(job, tokens));
        self.running.is_empty() || blocks.to_open(tokens + 1, shared).saturating_add(reserved) <= blocks.free()
    }

    /// Takes the output of a candidate.
    fn take(&mut self, candidate: Candidate) -> Option<Sequence> {
        let number = match candidate {
            Candidate::Suspended(age) => return self.suspended.remove(&age),
            Candidate::Unstarted(number) => number,
        };
        let unstarted = self.unstarted.get(&number)?;
        let job = unstarted.job.clone();
        if unstarted.has_not_begun() {
            job.times.begin(&job.metrics);
            self.counters.left_waiting += 1;
            self.counters.prompt_tokens += job.request.prompt.len() as u64;
        }
        let index = self.start(&job, 1).start;
        let mut sequence = Sequence::new(job.clone(), index);
        if sequence.finish_if_empty() {
            self.start(&job, u32::MAX).for_each(|index| _ = Sequence::new(job.clone(), index).finish_if_empty());
        }
        Some(sequence)
    }

    /// Takes the next outputs of a request from those that were not started, at most so many.
    fn start(&mut self, job: &Job, most: u32) -> Range<u32> {
        let Some(unstarted) = self.unstarted.get_mut(&job.number) else { return 0..0 };
        let first = unstarted.next;
        unstarted.next = first.saturating_add(most).min(job.params().n);
        let next = unstarted.next;
        if next == job.params().n {
            self.unstarted.remove(&job.number);
        }
        first..next
    }

    /// Further outputs of a request that has just computed its prompt: they begin with the same logits. `batch` outputs are in the batch.
    ///
    /// None where another request waits for its first output: those of this one take their turn after it, and compute the prompt's last token
    /// again.
    pub(in crate::engine) fn start_followers(&mut self, job: &Arc<Job>, batch: usize) -> Range<u32> {
        // Without any token to be drawn they take no place.
        let places = if job.limit == 0 { usize::MAX } else { self.places_for_further(self.running.len() + batch) };
        let is_alone = self.unstarted.values().all(|other| !other.has_not_begun()) && self.suspended.is_empty();
        if job.limit > 0 && !is_alone {
            return 0..0;
        }
        self.start(job, u32::try_from(places).unwrap_or(u32::MAX))
    }

    /// Another output of a request that holds the whole prompt, for its KV cache to be shared.
    fn sibling(&self, job: &Arc<Job>) -> Option<usize> {
        let holds_prompt = |other: &Sequence| Arc::ptr_eq(&other.job, job) && other.computed >= other.prompt_len();
        self.running.iter().position(holds_prompt)
    }

    /// Lets an output run. Returns `false` where there is no room for it now.
    fn open(&mut self, mut sequence: Sequence, model: &mut dyn Model) -> bool {
        let length = shared_tokens(&sequence.job, sequence.tokens.len());
        let sibling = self.sibling(&sequence.job).filter(|_| length > 0);
        let shared = sibling.and_then(|at| Some((at, self.running[at].handle?)));
        let opened = match shared {
            Some((_, handle)) => model.fork(handle, length as u32),
            None => model.open(),
        };
        match opened {
            Ok(handle) => {
                sequence.handle = Some(handle);
                if let Some((at, _)) = shared {
                    sequence.computed = length;
                    sequence.shares_block = true;
                    self.running[at].shares_block = true;
                }
                self.running.push(sequence);
                true
            }
            Err(error) if error.code == ErrorCode::OutOfMemory && !self.running.is_empty() => {
                self.suspended.insert(sequence.age(), sequence);
                self.admission_paused = true;
                false
            }
            Err(error) => {
                sequence.fail(error);
                true
            }
        }
    }

    /// Deals out the tokens of a step: one to each output that decodes, the rest to prompts. Suspends the newest outputs
    /// where the blocks do not suffice.
    pub(in crate::engine) fn plan(&mut self, model: &mut dyn Model) -> Vec<Turn> {
        self.running.sort_by_key(Sequence::age);
        let decoding = self.running.iter().filter(|sequence| sequence.decodes()).count();
        let mut prefill = self.max_num_batched_tokens.saturating_sub(decoding);
        let mut planned = 0;
        let mut turns = vec![0; self.running.len()];
        let mut at = 0;
        while at < self.running.len() {
            let sequence = &self.running[at];
            let tokens =
                if sequence.decodes() { 1 } else { sequence.pending().min(sequence.most_tokens()).min(prefill) };
            let blocks = Blocks::of(&model.memory());
            let needed = planned + blocks.to_append(sequence, tokens);
            if needed > blocks.free() && self.running.len() > 1 {
                // The newest gives way, which in the end may be this one. The last one left is tried all the same.
                self.suspend_newest(model);
                continue;
            }
            if !sequence.decodes() {
                prefill -= tokens;
            }
            planned = needed;
            turns[at] = tokens;
            at += 1;
        }
        let all = std::mem::take(&mut self.running).into_iter().zip(turns);
        let mut batch = Vec::new();
        for (sequence, tokens) in all {
            match tokens {
                0 => self.running.push(sequence),
                _ => batch.push(Turn { sequence, tokens, row: None, first_row: None }),
            }
        }
        batch
    }

    /// Takes back a batch that could not be computed for want of memory, and makes room.
    pub(in crate::engine) fn make_room(&mut self, batch: Vec<Turn>, model: &mut dyn Model) {
        self.running.extend(batch.into_iter().map(|turn| turn.sequence));
        self.running.sort_by_key(Sequence::age);
        if self.running.len() > 1 {
            self.suspend_newest(model);
        } else if let Some(mut last) = self.running.pop() {
            last.fail(does_not_fit(last.tokens.len()));
            release(&mut last, model);
        }
    }

    /// Takes the newest running output's memory. Returns whether there was one.
    pub(in crate::engine) fn suspend_newest(&mut self, model: &mut dyn Model) -> bool {
        let newest = self.running.iter().enumerate().max_by_key(|(_, sequence)| sequence.age());
        let Some((at, _)) = newest else { return false };
        let mut sequence = self.running.swap_remove(at);
        release(&mut sequence, model);
        self.counters.preemptions += 1;
        self.admission_paused = true;
        self.suspended.insert(sequence.age(), sequence);
        true
    }

    /// Takes an output that goes on.
    pub(in crate::engine) fn keep(&mut self, sequence: Sequence) {
        self.running.push(sequence);
    }

    /// Takes an output that has drawn its first token from its leader's logits. It shares the leader's memory where there
    /// is a place for it beside `others` that are still to be kept, and else waits for one.
    pub(in crate::engine) fn keep_follower(
        &mut self,
        mut follower: Sequence,
        leader: &mut Sequence,
        others: usize,
        model: &mut dyn Model,
    ) {
        let has_place = self.running.len() + others < self.max_num_seqs;
        let forked = leader.handle.filter(|_| has_place).map(|handle| model.fork(handle, follower.prompt_len() as u32));
        match forked {
            Some(Ok(handle)) => {
                follower.handle = Some(handle);
                follower.computed = follower.prompt_len();
                follower.shares_block = true;
                leader.shares_block = true;
                self.running.push(follower);
            }
            Some(Err(error)) if error.code != ErrorCode::OutOfMemory => {
                follower.fail(error);
            }
            _ => {
                self.suspended.insert(follower.age(), follower);
            }
        }
    }

    pub(in crate::engine) fn outputs_running(&self) -> usize {
        self.running.len()
    }

    pub(in crate::engine) fn outputs_suspended(&self) -> usize {
        self.suspended.len()
    }

    /// The number of requests of which an output runs, and of all others.
    pub(in crate::engine) fn requests(&self) -> (usize, usize) {
        let mut running: Vec<u64> = self.running.iter().map(|sequence| sequence.job.number).collect();
        running.sort_unstable();
        running.dedup();
        (running.len(), self.jobs.len().saturating_sub(running.len()))
    }
}

/// The first of the candidates whose request has no output that runs, or else the one with the least key.
fn first_or_least(candidates: impl Iterator<Item = (Candidate, Order)>) -> Option<(Candidate, Order)> {
    let mut least: Option<(Candidate, Order)> = None;
    for (candidate, key) in candidates {
        if least.is_none_or(|(_, other)| key < other) {
            least = Some((candidate, key));
        }
        if key.0 == 0 {
            break;
        }
    }
    least
}

/// The tokens of the prompt that an output of so many tokens may share with another one. The last token is always computed, for its logits.
fn shared_tokens(job: &Job, tokens: usize) -> usize {
    job.request.prompt.len().min(tokens.saturating_sub(1))
}

/// Closes the model's sequence of an output: nothing of it is computed any more.
pub(in crate::engine) fn release(sequence: &mut Sequence, model: &mut dyn Model) {
    if let Some(handle) = sequence.handle.take() {
        close(handle, model);
    }
    sequence.computed = 0;
    sequence.shares_block = false;
}

fn close(handle: SequenceId, model: &mut dyn Model) {
    if let Err(error) = model.close(handle) {
        tracing::warn!("the backend did not close sequence {}: {error}", handle.0);
    }
}

pub(in crate::engine) fn does_not_fit(tokens: usize) -> Error {
    Error::out_of_memory(format!(
        "the KV cache cannot hold this sequence of {tokens} tokens, even alone: shorten the prompt or the output, or give the \
         cache more memory"
    ))
}
