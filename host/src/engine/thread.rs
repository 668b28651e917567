//! The engine's thread: it owns the model, and makes one step after the other.
//!
//! ```text
//! step: sweep    forget requests that are over, free their memory
//!       admit    start what finds room
//!       plan     a batch of tokens
//!       forward  the device begins
//!       choose   masks, on the CPU's cores meanwhile
//!       sample   waits for the device; a token for each row
//!       accept   guides, text, stops; events to the clients
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jig_plugin_api::{Chunk, Error, ErrorCode, LogitsWanted, Model, SampleRow, Sampled, SamplingParams, mask};

use super::guard::guarded;
use super::mailbox::{Mail, Shared, Submission};
use super::progress::Place;
use super::schedule::{Scheduler, Turn, does_not_fit, release};
use super::sequence::masks::{self, Choice};
use super::sequence::{ForcedText, Job, Progress, Seeds, Sequence, uniform};
use super::{EngineConfig, EngineStats, check};
use crate::request::TokenLogprob;
use crate::tokenizer::Tokenizer;

/// What was drawn for a place of the batch, or why nothing was.
type Drawn = Vec<(usize, Result<Sampled, Error>)>;

pub(super) struct EngineThread {
    model: Box<dyn Model>,
    vocab_size: usize,
    max_model_len: u32,
    max_num_batched_tokens: usize,
    forced: ForcedText,
    tokenizer: Tokenizer,
    scheduler: Scheduler,
    /// Outputs of a batch that failed as a whole. Each is computed apart, to find out whose fault it was.
    suspects: VecDeque<Sequence>,
    seeds: Seeds,
    arrivals: u64,
    steps: u64,
    step_time: Duration,
    mask_time: Duration,
    generation_tokens: u64,
    shared: Arc<Shared>,
}

impl EngineThread {
    pub(super) fn new(
        model: Box<dyn Model>,
        tokenizer: Tokenizer,
        config: EngineConfig,
        max_model_len: u32,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            vocab_size: model.info().vocab_size as usize,
            model,
            max_model_len,
            max_num_batched_tokens: config.max_num_batched_tokens.max(1),
            forced: ForcedText::new(tokenizer.clone()),
            tokenizer,
            scheduler: Scheduler::new(config.max_num_seqs, config.max_num_batched_tokens),
            suspects: VecDeque::new(),
            seeds: Seeds::new(config.seed),
            arrivals: 0,
            steps: 0,
            step_time: Duration::ZERO,
            mask_time: Duration::ZERO,
            generation_tokens: 0,
            shared,
        }
    }

    /// Serves requests until none can come any more. Sleeps while there are none.
    pub(super) fn run(mut self) {
        loop {
            let mail = self.shared.collect(self.scheduler.is_idle());
            let Mail::Requests { submissions, abort } = mail else { return };
            submissions.into_iter().for_each(|submission| self.take(submission));
            if abort {
                self.scheduler.fail_all();
            }
            self.step();
            self.publish();
        }
    }

    fn take(&mut self, submission: Submission) {
        let request = &submission.request;
        let params = &request.params;
        let seed = params.seed.unwrap_or_else(|| self.seeds.next());
        let limit = check::limit(request, self.max_model_len);
        // Where a guide decides on the end of the text, a list of allowed tokens is about the text.
        let ends = if request.guide.is_some() { self.tokenizer.end_tokens() } else { &[] };
        let pack = |allowed: &Vec<u32>| mask::pack(self.vocab_size, allowed.iter().chain(ends).copied());
        let allowed = params.allowed_token_ids.as_ref().map(pack);
        let tokenizer = self.tokenizer.clone();
        self.scheduler.add(Arc::new(Job::new(
            self.arrivals,
            submission,
            limit,
            seed,
            allowed,
            tokenizer,
            self.shared.metrics.clone(),
        )));
        self.arrivals += 1;
    }

    fn step(&mut self) {
        let begun = Instant::now();
        let shared = self.shared.clone();
        let model = &mut *self.model;
        shared.watched.at(Place::Sweep);
        self.scheduler.sweep(model);
        if let Some(suspect) = self.suspects.pop_front() {
            self.run_apart(suspect);
        } else {
            shared.watched.at(Place::Admit);
            self.scheduler.admit(model);
            shared.watched.at(Place::Plan);
            let batch = self.scheduler.plan(model);
            if !batch.is_empty() {
                self.run_batch(batch);
            }
        }
        if self.shared.kept.is_too_much() {
            self.scheduler.fail_largest_answer();
        }
        shared.watched.at(Place::Sweep);
        // What ended in this step frees its memory before the engine sleeps.
        self.scheduler.sweep(&mut *self.model);
        self.step_time += begun.elapsed();
        shared.watched.goes_on();
    }

    fn run_batch(&mut self, mut batch: Vec<Turn>) {
        match self.forward(&mut batch) {
            Ok(()) => match self.score(&mut batch) {
                Ok(()) => self.draw(batch),
                Err(error) => self.separate(batch, &error),
            },
            Err(error) if error.code == ErrorCode::OutOfMemory => self.scheduler.make_room(batch, &mut *self.model),
            Err(error) => self.separate(batch, &error),
        }
    }

    /// Has the device compute a batch, and says which turn has which row of logits.
    fn forward(&mut self, batch: &mut [Turn]) -> Result<(), Error> {
        let mut rows = 0;
        let mut chunks = Vec::with_capacity(batch.len());
        for turn in &mut *batch {
            let completes = turn.tokens == turn.sequence.pending();
            turn.first_row = turn.sequence.scores_prompt().then_some(rows);
            rows += if turn.first_row.is_some() { turn.tokens as u32 } else { u32::from(completes) };
            turn.row = completes.then(|| rows - 1);
        }
        for Turn { sequence, tokens, row, first_row } in &*batch {
            let Some(handle) = sequence.handle else {
                return Err(Error::internal("a sequence without memory was planned"));
            };
            chunks.push(Chunk {
                sequence: handle,
                tokens: &sequence.tokens[sequence.computed..sequence.computed + tokens],
                logits: match (first_row, row) {
                    (Some(_), _) => LogitsWanted::All,
                    (None, Some(_)) => LogitsWanted::Last,
                    (None, None) => LogitsWanted::None,
                },
            });
        }
        self.shared.watched.at(Place::Forward);
        guarded("the backend", || self.model.forward(&chunks))?;
        let tokens: usize = chunks.iter().map(|chunk| chunk.tokens.len()).sum();
        self.shared.metrics.step_tokens.observe(tokens as f64);
        drop(chunks);
        for turn in batch {
            turn.sequence.computed += turn.tokens;
            turn.sequence.shares_block = false;
        }
        self.steps += 1;
        Ok(())
    }

    /// Tells the log-probabilities of the prompts' tokens that a batch has computed, where they are wanted.
    ///
    /// A row's token is drawn with a mask of the one that the prompt has there, so that every backend can say how likely it was.
    fn score(&mut self, batch: &mut [Turn]) -> Result<(), Error> {
        self.shared.watched.at(Place::Score);
        for Turn { sequence, tokens, first_row, .. } in batch {
            let Some(first_row) = *first_row else { continue };
            let Some(top) = sequence.job.params().prompt_logprobs else { continue };
            let params = SamplingParams { logprobs: Some(top), ..SamplingParams::greedy() };
            let computed_before = sequence.computed - *tokens;
            let places = sequence.scored.max(computed_before + 1)..sequence.prompt_len().min(sequence.computed + 1);
            let masks: Vec<Vec<u32>> =
                places.clone().map(|place| mask::pack(self.vocab_size, [sequence.tokens[place]])).collect();
            let rows: Vec<SampleRow<'_>> = places
                .zip(&masks)
                .map(|(place, mask)| SampleRow {
                    row: first_row + (place - 1 - computed_before) as u32,
                    mask,
                    banned: &[],
                    params: &params,
                    uniform: 0.0,
                    prompt: &[],
                    output: &[],
                })
                .collect();
            let mut scores = Vec::with_capacity(rows.len());
            for sampled in sample_rows(&mut *self.model, &rows, self.vocab_size)? {
                let Sampled { token, logprob, top_logprobs } = sampled?;
                scores.push(TokenLogprob { token, logprob, top: top_logprobs });
            }
            if !scores.is_empty() {
                sequence.tell_scores(scores);
            }
        }
        Ok(())
    }

    /// Draws the next tokens of a batch that the device is computing, and follows them up.
    fn draw(&mut self, mut batch: Vec<Turn>) {
        // The other outputs of a request draw their first tokens from the row after the prompt.
        let leaders = batch.len();
        let mut leader_of = Vec::new();
        for at in 0..leaders {
            let Turn { sequence, row, .. } = &batch[at];
            let (job, row) = (sequence.job.clone(), *row);
            if row.is_none() || sequence.drawn() > 0 {
                continue;
            }
            for index in self.scheduler.start_followers(&job, batch.len()) {
                let sequence = Sequence::new(job.clone(), index);
                batch.push(Turn { sequence, tokens: 0, row, first_row: None });
                leader_of.push(at);
            }
        }

        let mut continues = vec![true; batch.len()];
        for (turn, continues) in batch.iter_mut().zip(&mut continues) {
            if turn.row.is_some() && turn.sequence.finish_if_unwanted() {
                (turn.row, *continues) = (None, false);
            }
        }
        let drawn = match self.sample(&batch) {
            Ok(drawn) => drawn,
            Err(error) => {
                batch.truncate(leaders);
                return self.separate(batch, &error);
            }
        };
        for (at, sampled) in drawn {
            let sequence = &mut batch[at].sequence;
            let accepted = sampled.and_then(|sampled| {
                let before = sequence.drawn();
                let progress = guarded("the guide", || match sequence.accept_drawn(sampled) {
                    Progress::Continues => Ok(self.forced.append(sequence)),
                    ended => Ok(ended),
                });
                let count = sequence.drawn() - before;
                sequence.measure_tokens(count);
                self.generation_tokens += u64::from(count);
                progress
            });
            continues[at] = match accepted {
                Ok(progress) => progress == Progress::Continues,
                Err(error) => sequence.fail(error) == Progress::Continues,
            };
        }

        let model = &mut *self.model;
        let followers = batch.split_off(leaders);
        let others = continues[..leaders].iter().filter(|&&continues| continues).count();
        for ((turn, leader), at) in followers.into_iter().zip(leader_of).zip(leaders..) {
            if continues[at] && !turn.sequence.job.is_over() {
                self.scheduler.keep_follower(turn.sequence, &mut batch[leader].sequence, others, model);
            }
        }
        for (Turn { mut sequence, .. }, continues) in batch.into_iter().zip(continues) {
            if continues {
                self.scheduler.keep(sequence);
            } else {
                release(&mut sequence, model);
            }
        }
    }

    /// A token for each turn that has a row, by the turn's place in the batch: drawn, or an error of its own.
    ///
    /// # Errors
    /// Where the backend failed for all of them.
    fn sample(&mut self, batch: &[Turn]) -> Result<Drawn, Error> {
        let places: Vec<usize> = (0..batch.len()).filter(|&at| batch[at].row.is_some()).collect();
        let sequences: Vec<&Sequence> = places.iter().map(|&at| &batch[at].sequence).collect();
        let begun = Instant::now();
        self.shared.watched.at(Place::Masks);
        let choices = masks::choices(&sequences, self.vocab_size);
        self.mask_time += begun.elapsed();

        let mut drawn = Vec::with_capacity(places.len());
        let mut asked = Vec::new();
        let mut rows = Vec::new();
        for (&at, choice) in places.iter().zip(&choices) {
            let Turn { sequence, row, .. } = &batch[at];
            match (choice, *row) {
                (Ok(Choice::One(token)), _) => {
                    drawn.push((at, Ok(Sampled { token: *token, ..Sampled::default() })));
                }
                (Ok(Choice::Among { mask, banned }), Some(row)) => {
                    let params = &sequence.job.params().sampling;
                    let penalized = params.has_penalties();
                    asked.push(at);
                    rows.push(SampleRow {
                        row,
                        mask: mask.as_slice(),
                        banned,
                        params,
                        uniform: uniform(sequence.job.seed, sequence.index, sequence.drawn()),
                        prompt: if penalized { &sequence.job.request.prompt } else { &[] },
                        output: if penalized { sequence.output() } else { &[] },
                    });
                }
                (Ok(_), None) => {}
                (Err(error), _) => drawn.push((at, Err(error.clone()))),
            }
        }
        self.shared.watched.at(Place::Sample);
        let tokens = sample_rows(&mut *self.model, &rows, self.vocab_size)?;
        self.shared.watched.at(Place::Accept);
        drawn.extend(asked.into_iter().zip(tokens));
        Ok(drawn)
    }

    /// A batch failed as a whole. Each of its outputs is computed again by itself, so that only those fail that fail
    /// alone.
    fn separate(&mut self, batch: Vec<Turn>, error: &Error) {
        tracing::warn!("the backend failed on a batch of {}: {error}", batch.len());
        let alone = batch.len() == 1;
        for Turn { mut sequence, .. } in batch {
            release(&mut sequence, &mut *self.model);
            if alone {
                sequence.fail(error.clone());
            } else {
                self.suspects.push_back(sequence);
            }
        }
    }

    /// Computes an output by itself, up to its next token. Others give way where memory is short.
    fn run_apart(&mut self, mut sequence: Sequence) {
        if sequence.job.is_over() {
            return;
        }
        loop {
            let result = match sequence.handle {
                None => self.model.open().map(|handle| {
                    sequence.handle = Some(handle);
                }),
                Some(_) => {
                    let tokens = sequence.pending().min(sequence.most_tokens()).min(self.max_num_batched_tokens);
                    let mut batch = [Turn { sequence, tokens, row: None, first_row: None }];
                    let result = self.forward(&mut batch).and_then(|()| self.score(&mut batch));
                    let [turn] = batch;
                    if result.is_ok() && turn.row.is_some() {
                        return self.draw(vec![turn]);
                    }
                    sequence = turn.sequence;
                    result
                }
            };
            let Err(error) = result else { continue };
            let short = error.code == ErrorCode::OutOfMemory;
            if short && self.scheduler.suspend_newest(&mut *self.model) {
                continue;
            }
            sequence.fail(if short { does_not_fit(sequence.tokens.len()) } else { error });
            return release(&mut sequence, &mut *self.model);
        }
    }

    fn publish(&mut self) {
        let counters = self.scheduler.counters;
        self.shared.leave_queue(counters.left_waiting);
        let (requests_running, requests_waiting) = self.scheduler.requests();
        self.shared.publish(EngineStats {
            requests_running,
            requests_waiting,
            outputs_running: self.scheduler.outputs_running(),
            outputs_suspended: self.scheduler.outputs_suspended() + self.suspects.len(),
            answer_bytes: self.shared.kept.bytes(),
            memory: self.model.memory(),
            steps: self.steps,
            step_time: self.step_time,
            mask_time: self.mask_time,
            prompt_tokens: counters.prompt_tokens,
            generation_tokens: self.generation_tokens,
            preemptions: counters.preemptions,
            requests_finished: counters.finished,
            requests_failed: counters.failed,
            requests_cancelled: counters.cancelled,
        });
    }
}

/// One token for each row. Where the backend refuses them together for an argument, each is asked for alone: a fault
/// in one request's parameters is not the others'.
fn sample_rows(
    model: &mut dyn Model,
    rows: &[SampleRow<'_>],
    vocab_size: usize,
) -> Result<Vec<Result<Sampled, Error>>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let known = |sampled: Sampled| match sampled.token {
        token if (token as usize) < vocab_size => Ok(sampled),
        token => Err(Error::internal(format!("the backend drew token {token}, which is not in its vocabulary"))),
    };
    match guarded("the backend", || model.sample(rows)) {
        Ok(tokens) if tokens.len() == rows.len() => Ok(tokens.into_iter().map(known).collect()),
        Ok(tokens) => Err(Error::internal(format!(
            "the backend drew {} tokens where {} were asked for",
            tokens.len(),
            rows.len()
        ))),
        Err(error) if error.code != ErrorCode::InvalidArgument => Err(error),
        Err(error) if rows.len() == 1 => Ok(vec![Err(error)]),
        Err(_) => {
            let mut tokens = Vec::with_capacity(rows.len());
            for row in rows {
                tokens.extend(sample_rows(model, std::slice::from_ref(row), vocab_size)?);
            }
            Ok(tokens)
        }
    }
}
