//! Who runs: requests are admitted as memory allows, the tokens of a step are divided among them, and when memory runs out
//! the newest output is suspended.
//!
//! ```text
//! waiting --admit--> running --plan--> a batch of turns --> running, or ended
//!                      |  ^
//!              suspend v  | admit
//!                    suspended   (no memory; prompt and output are computed again)
//! ```
//!
//! The oldest output is never suspended for a newer one, so it advances in every step. Each output becomes the oldest in time, so none
//! starves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jig_plugin_api::{Error, ErrorCode, Model, SequenceId};

use super::blocks::Blocks;
use crate::engine::sequence::{Job, Sequence};

/// All requests that the engine has, and which of their outputs hold memory.
pub(in crate::engine) struct Scheduler {
    max_num_seqs: usize,
    max_num_batched_tokens: usize,
    /// Every request that is not over.
    jobs: BTreeMap<u64, Arc<Job>>,
    /// Those of them that were not started, oldest first.
    waiting: VecDeque<Arc<Job>>,
    /// Outputs without memory, by age.
    suspended: BTreeMap<(u64, u32), Sequence>,
    /// Outputs with memory.
    running: Vec<Sequence>,
    /// Set when memory ran out: a suspended output is not admitted again before the others have made a step, or they would take
    /// memory from each other for ever.
    admission_paused: bool,
    pub(in crate::engine) counters: Counters,
}

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
            waiting: VecDeque::new(),
            suspended: BTreeMap::new(),
            running: Vec::new(),
            admission_paused: false,
            counters: Counters::default(),
        }
    }

    pub(in crate::engine) fn add(&mut self, job: Arc<Job>) {
        self.jobs.insert(job.number, job.clone());
        self.waiting.push_back(job);
    }

    pub(in crate::engine) fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(in crate::engine) fn fail_all(&self, error: &Error) {
        self.jobs.values().for_each(|job| job.fail(error.clone()));
    }

    /// Forgets the requests that are over, and frees what their outputs hold.
    pub(in crate::engine) fn sweep(&mut self, model: &mut dyn Model) {
        let counters = &mut self.counters;
        let before = self.jobs.len();
        self.jobs.retain(|_, job| {
            match () {
                () if job.is_finished() => counters.finished += 1,
                () if job.has_failed() => counters.failed += 1,
                () if job.is_cancelled() => counters.cancelled += 1,
                () => return true,
            }
            false
        });
        if self.jobs.len() == before {
            return;
        }
        let waiting = self.waiting.len();
        self.waiting.retain(|job| self.jobs.contains_key(&job.number));
        self.counters.left_waiting += (waiting - self.waiting.len()) as u64;
        self.suspended.retain(|_, sequence| self.jobs.contains_key(&sequence.job.number));
        for mut sequence in self.running.extract_if(.., |sequence| !self.jobs.contains_key(&sequence.job.number)) {
            release(&mut sequence, model);
        }
    }

    /// Starts what may start: outputs that were suspended, then requests that wait, each in the order of age.
    pub(in crate::engine) fn admit(&mut self, model: &mut dyn Model) {
        if std::mem::take(&mut self.admission_paused) && !self.running.is_empty() {
            return;
        }
        let pending: usize = self.running.iter().map(Sequence::pending).sum();
        let mut budget = self.max_num_batched_tokens.saturating_sub(pending);
        while self.running.len() < self.max_num_seqs && budget > 0 {
            let candidate =
                self.suspended.first_key_value().map(|(_, sequence)| (&sequence.job, sequence.tokens.len()));
            let candidate = candidate.or_else(|| self.waiting.front().map(|job| (job, job.request.prompt.len())));
            let Some((job, tokens)) = candidate else { return };
            let blocks = Blocks::of(&model.memory());
            if !blocks.could_hold(tokens + 1) {
                job.fail(does_not_fit(tokens));
            } else if !self.fits(job, tokens, &blocks) {
                return;
            }
            let Some(sequence) = self.next() else { return };
            budget = budget.saturating_sub(sequence.pending());
            if !sequence.job.is_over() && !self.open(sequence, model) {
                return;
            }
        }
    }

    /// Whether there is memory for an output of this many tokens, beside what running outputs need for their next token.
    fn fits(&self, job: &Arc<Job>, tokens: usize, blocks: &Blocks) -> bool {
        let reserved: usize = self.running.iter().map(|other| blocks.to_append(other, other.pending() + 1)).sum();
        let shared = self.sibling(job).map_or(0, |_| job.request.prompt.len());
        self.running.is_empty() || blocks.to_open(tokens + 1, shared).saturating_add(reserved) <= blocks.free()
    }

    /// The next one to run.
    fn next(&mut self) -> Option<Sequence> {
        if let Some((_, sequence)) = self.suspended.pop_first() {
            return Some(sequence);
        }
        let job = self.waiting.pop_front()?;
        self.counters.left_waiting += 1;
        self.counters.prompt_tokens += job.request.prompt.len() as u64;
        let mut leader = Sequence::new(job.clone(), 0);
        leader.followers = job.params().n - 1;
        if leader.finish_if_empty() {
            (1..job.params().n).for_each(|index| _ = Sequence::new(job.clone(), index).finish_if_empty());
        }
        Some(leader)
    }

    /// Another output of a request that holds the whole prompt, for its KV cache to be shared.
    fn sibling(&self, job: &Arc<Job>) -> Option<usize> {
        let holds_prompt = |other: &Sequence| Arc::ptr_eq(&other.job, job) && other.computed >= other.prompt_len();
        self.running.iter().position(holds_prompt)
    }

    /// Lets an output run. Returns `false` where there is no room for it now.
    fn open(&mut self, mut sequence: Sequence, model: &mut dyn Model) -> bool {
        let shared = self.sibling(&sequence.job).and_then(|at| Some((at, self.running[at].handle?)));
        let opened = match shared {
            Some((_, handle)) => model.fork(handle, sequence.prompt_len() as u32),
            None => model.open(),
        };
        match opened {
            Ok(handle) => {
                sequence.handle = Some(handle);
                if let Some((at, _)) = shared {
                    sequence.computed = sequence.prompt_len();
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
