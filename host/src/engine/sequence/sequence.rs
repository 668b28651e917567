//! A request in the engine, and each of its outputs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use jig_guides::GuideState;
use jig_plugin_api::{Error, Sampled, SequenceId};
use tokio::sync::mpsc::UnboundedSender;

use super::stop::StopStrings;
use super::text::{TextStream, Wholeness};
use super::thoughts::Thoughts;
use crate::engine::kept::Answer;
use crate::engine::mailbox::Submission;
use crate::engine::record::{RequestMetrics, Times};
use crate::request::{Delta, Event, Failure, FinishReason, GenerationParams, Request, StoppedBy, TokenLogprob, Usage};
use crate::tokenizer::Tokenizer;

/// The most tokens of a prompt in one step where each one's log-probability is wanted.
const MOST_SCORED: usize = 64;

/// A request that the engine has taken: what its outputs share.
pub(in crate::engine) struct Job {
    /// The place in the order of arrival: the older goes first where not all can go.
    pub(in crate::engine) number: u64,
    pub(in crate::engine) request: Request,
    /// The most tokens of an output.
    pub(in crate::engine) limit: u32,
    /// The seed of all random numbers.
    pub(in crate::engine) seed: u64,
    /// `allowed_token_ids` packed, with the end tokens where a guide decides on them.
    pub(in crate::engine) allowed: Option<Vec<u32>>,
    stop: StopStrings,
    tokenizer: Tokenizer,
    events: UnboundedSender<Event>,
    /// What of its answer is in memory.
    pub(in crate::engine) answer: Arc<Answer>,
    pub(in crate::engine) times: Arc<Times>,
    pub(in crate::engine) metrics: Arc<RequestMetrics>,
    outputs_left: AtomicU32,
    failed: AtomicBool,
}

impl Job {
    pub(in crate::engine) fn new(
        number: u64,
        submission: Submission,
        limit: u32,
        seed: u64,
        allowed: Option<Vec<u32>>,
        tokenizer: Tokenizer,
        metrics: Arc<RequestMetrics>,
    ) -> Self {
        let Submission { request, stop, events, answer, times } = submission;
        let outputs_left = AtomicU32::new(request.params.n);
        let failed = AtomicBool::new(false);
        Self {
            number,
            request,
            limit,
            seed,
            allowed,
            stop,
            tokenizer,
            events,
            answer,
            times,
            metrics,
            outputs_left,
            failed,
        }
    }

    pub(in crate::engine) fn params(&self) -> &GenerationParams {
        &self.request.params
    }

    pub(in crate::engine) fn end_tokens(&self) -> &[u32] {
        self.tokenizer.end_tokens()
    }

    /// Ends all outputs with an error. Only the first one is told.
    pub(in crate::engine) fn fail(&self, failure: impl Into<Failure>) {
        if !self.failed.swap(true, Relaxed) {
            self.send(Event::Failed(failure.into()));
        }
    }

    pub(in crate::engine) fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// The outputs that have not ended.
    pub(in crate::engine) fn outputs_left(&self) -> u32 {
        self.outputs_left.load(Relaxed)
    }

    /// Measures a request that is over, with all of its outputs.
    pub(in crate::engine) fn measure(&self) {
        let params = self.params();
        self.times.end(self.request.prompt.len(), &self.metrics);
        self.metrics.n.observe(f64::from(params.n));
        self.metrics.max_tokens.observe(f64::from(params.max_tokens.unwrap_or(self.limit)));
    }

    /// Whether nobody listens any more.
    pub(in crate::engine) fn is_cancelled(&self) -> bool {
        self.events.is_closed()
    }

    pub(in crate::engine) fn is_finished(&self) -> bool {
        self.outputs_left.load(Relaxed) == 0
    }

    /// Whether nothing is left to do for it.
    pub(in crate::engine) fn is_over(&self) -> bool {
        self.has_failed() || self.is_finished() || self.is_cancelled()
    }

    fn send(&self, event: Event) {
        self.answer.add(&event);
        // An error says that nobody listens any more: the next step will see that.
        let _ = self.events.send(event);
    }
}

/// One output of a request.
pub(in crate::engine) struct Sequence {
    pub(in crate::engine) job: Arc<Job>,
    /// Which of the `n` outputs.
    pub(in crate::engine) index: u32,
    /// The sequence in the model; `None` while it has no memory.
    pub(in crate::engine) handle: Option<SequenceId>,
    /// The tokens that are in the model's KV cache.
    pub(in crate::engine) computed: usize,
    /// Whether the last block of the KV cache may be shared, so that appending to it takes another one.
    pub(in crate::engine) shares_block: bool,
    /// The prompt, and behind it what was drawn.
    pub(in crate::engine) tokens: Vec<u32>,
    pub(in crate::engine) guide: Option<GuideState>,
    /// The tokens of the prompt whose log-probabilities the client has. They are not told again where the prompt is computed again.
    pub(in crate::engine) scored: usize,
    text: Option<TextStream>,
    /// Tokens that no delta has named yet.
    unsent: Vec<u32>,
    /// When it got its first and its last tokens.
    token_times: Option<(Instant, Instant)>,
    /// Whether the budget has taken tokens away from a mask of the guide.
    squeezed: bool,
    thoughts: Thoughts,
}

/// What became of an output by its last token.
#[derive(Debug, PartialEq)]
pub(in crate::engine) enum Progress {
    /// It goes on.
    Continues,
    /// It has ended, and the client knows.
    Finished,
    /// Its request failed, and the client knows.
    Failed,
}

impl Sequence {
    pub(in crate::engine) fn new(job: Arc<Job>, index: u32) -> Self {
        let guide = job.request.guide.as_ref().map(jig_guides::Guide::start);
        let thoughts = Thoughts::new(job.params().thoughts.as_ref(), guide.as_ref());
        let may_be_empty = guide.as_ref().is_some_and(GuideState::may_end);
        let detokenizer = job.tokenizer.detokenizer(job.params().skip_special_tokens);
        let text = TextStream::new(detokenizer.speaking(job.params().spoken_tokens.clone()), may_be_empty, &job.stop);
        let tokens = job.request.prompt.to_vec();
        let (handle, computed, shares_block) = (None, 0, false);
        // Nothing precedes the first token that could tell how likely it is.
        let scored = 1;
        let (unsent, token_times, squeezed) = (Vec::new(), None, false);
        Self {
            job,
            index,
            handle,
            computed,
            shares_block,
            tokens,
            guide,
            scored,
            text: Some(text),
            unsent,
            token_times,
            squeezed,
            thoughts,
        }
    }

    /// Oldest request first, and its outputs in their order.
    pub(in crate::engine) fn age(&self) -> (u64, u32) {
        (self.job.number, self.index)
    }

    pub(in crate::engine) fn prompt_len(&self) -> usize {
        self.job.request.prompt.len()
    }

    /// The tokens drawn so far.
    pub(in crate::engine) fn output(&self) -> &[u32] {
        &self.tokens[self.prompt_len()..]
    }

    pub(in crate::engine) fn drawn(&self) -> u32 {
        self.output().len() as u32
    }

    /// The tokens that are not in the KV cache yet.
    pub(in crate::engine) fn pending(&self) -> usize {
        self.tokens.len() - self.computed
    }

    /// Whether the next step draws its next token from the one before.
    pub(in crate::engine) fn decodes(&self) -> bool {
        self.pending() == 1 && self.computed > 0
    }

    /// Whether log-probabilities of the prompt's tokens are still to be told.
    pub(in crate::engine) fn scores_prompt(&self) -> bool {
        self.index == 0 && self.job.params().prompt_logprobs.is_some() && self.scored < self.prompt_len()
    }

    /// The most tokens that are computed in one step. Where each needs a row of logits they are few, for a row is large.
    pub(in crate::engine) fn most_tokens(&self) -> usize {
        if self.scores_prompt() { MOST_SCORED } else { usize::MAX }
    }

    /// Tells the log-probabilities of the next tokens of the prompt.
    pub(in crate::engine) fn tell_scores(&mut self, scores: Vec<TokenLogprob>) {
        self.scored += scores.len();
        self.job.send(Event::Prompt(scores));
    }

    /// Ends an output that was to have no tokens. Returns whether it was.
    pub(in crate::engine) fn finish_if_unwanted(&mut self) -> bool {
        let unwanted = self.job.limit == 0;
        if unwanted {
            self.finish(FinishReason::Length, None, Vec::new(), None);
        }
        unwanted
    }

    /// Measures when it got its last `count` tokens.
    pub(in crate::engine) fn measure_tokens(&mut self, count: u32) {
        if count == 0 {
            return;
        }
        let (metrics, now) = (&self.job.metrics, Instant::now());
        self.job.times.token(count, metrics);
        if let Some((_, last)) = self.token_times {
            metrics.between_tokens.observe_time(now - last);
        }
        let first = self.token_times.map_or(now, |(first, _)| first);
        self.token_times = Some((first, now));
        if self.text.is_none() && self.drawn() > 1 {
            metrics.time_per_token.observe_time((now - first) / (self.drawn() - 1));
        }
    }

    /// How many more tokens it may have.
    pub(in crate::engine) fn tokens_left(&self) -> u32 {
        self.job.limit.saturating_sub(self.drawn())
    }

    /// In how many tokens its guide is to be able to end.
    pub(super) fn tokens_to_end(&self) -> u32 {
        let of_thoughts = self.thoughts.tokens_left(self.job.params().thoughts.as_ref());
        of_thoughts.map_or(self.tokens_left(), |left| left.min(self.tokens_left()))
    }

    /// Whether end-of-text tokens, stop tokens and stop strings leave the text alone so far.
    pub(in crate::engine) fn is_below_minimum(&self) -> bool {
        self.drawn() < self.job.params().min_tokens
    }

    /// Ends the output without a token where the guide allows nothing at all. Returns whether it did.
    pub(in crate::engine) fn finish_if_empty(&mut self) -> bool {
        let empty = self.guide.as_ref().is_some_and(GuideState::must_end);
        if empty {
            self.finish(FinishReason::Stop, None, Vec::new(), None);
        }
        empty
    }

    /// Notes whether the budget takes something away from what is drawn next.
    fn note_squeeze(&mut self) {
        let left = self.tokens_left();
        self.squeezed = self.squeezed || self.guide.as_ref().is_some_and(|guide| guide.is_narrowed_by(left));
    }

    /// Appends a token that was drawn: follows the guide, sends text, ends the output where it is to end.
    pub(in crate::engine) fn accept_drawn(&mut self, sampled: Sampled) -> Progress {
        self.note_squeeze();
        self.accept(sampled)
    }

    fn accept(&mut self, sampled: Sampled) -> Progress {
        let token = sampled.token;
        let job = self.job.clone();
        let params = job.params();
        let stops_before = !self.is_below_minimum();
        let was_whole = self.guide.as_ref().is_some_and(GuideState::may_end);
        let mut wholeness = Wholeness::Free;
        if let Some(guide) = self.guide.as_ref().filter(|_| !params.stop.is_empty()) {
            let bytes = match guide.guide().vocabulary().bytes(token) {
                Some(bytes) => bytes.len(),
                None if params.spoken_tokens.binary_search(&token).is_ok() => job.tokenizer.token_bytes(token).len(),
                None => 0,
            };
            wholeness = Wholeness::Guided { bytes, ends: guide.ends_within(token) };
        }
        if let Some(guide) = &mut self.guide
            && guide.advance(token).is_err()
        {
            return self.fail(Error::internal(format!(
                "the backend drew token {token}, which the guide's mask does not allow: this is a fault of the backend"
            )));
        }
        if let (Some(guide), Some(limit)) = (&self.guide, &params.thoughts)
            && self.thoughts != Thoughts::After
        {
            self.thoughts.push(&job.tokenizer.token_bytes(token), limit, guide);
        }
        self.tokens.push(token);
        self.unsent.push(token);
        let logprobs = match params.sampling.logprobs {
            Some(_) => vec![TokenLogprob { token, logprob: sampled.logprob, top: sampled.top_logprobs }],
            None => Vec::new(),
        };

        // The guide decides where a guided text ends; it has just accepted the end.
        let is_end = job.end_tokens().binary_search(&token).is_ok();
        if is_end && (self.guide.is_some() || !params.ignore_eos) {
            return self.finish(FinishReason::Stop, None, logprobs, None);
        }
        let is_whole = self.guide.as_ref().is_some_and(GuideState::may_end);
        if is_whole && let Wholeness::Guided { bytes: 0, ends } = &mut wholeness {
            ends.push(0);
        }
        if stops_before && params.stop_token_ids.contains(&token) {
            let included = params.include_stop_str_in_output;
            if self.guide.is_none() || if included { is_whole } else { was_whole } {
                let stopped_by = Some(StoppedBy::Token(token));
                return self.finish(FinishReason::Stop, stopped_by, logprobs, included.then_some(token));
            }
        }

        let may_stop = !self.is_below_minimum();
        let Some(text) = &mut self.text else { return Progress::Finished };
        let piece = text.push(token, &job.stop, &wholeness, may_stop);
        if let Some(string) = piece.stopped_by {
            self.text = None;
            self.send(piece.text, logprobs);
            let stopped_by = params.stop.get(string).cloned().map(StoppedBy::String);
            return self.finish(FinishReason::Stop, stopped_by, Vec::new(), None);
        }
        self.send(piece.text, logprobs);

        if self.guide.as_ref().is_some_and(GuideState::must_end) {
            return self.finish(FinishReason::Stop, None, Vec::new(), None);
        }
        if self.tokens_left() == 0 {
            if self.guide.is_some() && !is_whole {
                let message = "the guide did not keep within max_tokens: this is a fault of the server";
                return self.fail(Error::internal(message));
            }
            // The guide would have let it go on.
            self.squeezed = self.guide.is_some();
            return self.finish(FinishReason::Length, None, Vec::new(), None);
        }
        Progress::Continues
    }

    /// Ends the output: sends the text that was held back, and `last` where a stop token stays in the text.
    fn finish(
        &mut self,
        reason: FinishReason,
        stopped_by: Option<StoppedBy>,
        logprobs: Vec<TokenLogprob>,
        last: Option<u32>,
    ) -> Progress {
        let rest = self.text.take().map(|text| text.finish(last)).unwrap_or_default();
        self.send(rest, logprobs);
        if !self.unsent.is_empty() {
            self.deliver(String::new(), Vec::new());
        }
        let usage = Usage { prompt_tokens: self.prompt_len() as u32, output_tokens: self.drawn() };
        let squeezed = self.squeezed;
        self.job.metrics.count_end(reason);
        self.job.send(Event::Finished { index: self.index, reason, stopped_by, squeezed, usage });
        self.job.outputs_left.fetch_sub(1, Relaxed);
        Progress::Finished
    }

    /// What the output must go on with, if its request wants such text taken without asking the model.
    pub(in crate::engine) fn forced_text(&self, most_bytes: usize) -> String {
        let params = self.job.params();
        // Log-probabilities are the model's alone to say, and what else bars tokens may leave one split and not another.
        let free = params.sampling.logprobs.is_none() && params.bad_words.is_empty() && self.job.allowed.is_none();
        match &self.guide {
            Some(guide) if params.forced_text && free => guide.forced_text(most_bytes),
            _ => String::new(),
        }
    }

    /// Appends tokens that were not drawn, as far as the guide and the budget allow them.
    pub(in crate::engine) fn accept_forced(&mut self, tokens: &[u32]) -> Progress {
        let Some(guide) = &self.guide else { return Progress::Continues };
        let (mut ahead, mut count) = (guide.clone(), 0);
        while tokens.get(count).is_some_and(|token| ahead.advance(*token).is_ok()) {
            count += 1;
        }
        // The tokenizer may take more tokens than the fewest there are.
        let enough = self.tokens_left().checked_sub(count as u32).is_some_and(|left| ahead.completes_within(left));
        if !enough {
            return Progress::Continues;
        }
        for &token in &tokens[..count] {
            match self.accept(Sampled { token, ..Sampled::default() }) {
                Progress::Continues => {}
                ended => return ended,
            }
        }
        Progress::Continues
    }

    fn send(&mut self, text: String, logprobs: Vec<TokenLogprob>) {
        if !text.is_empty() || !logprobs.is_empty() {
            self.deliver(text, logprobs);
        }
    }

    fn deliver(&mut self, text: String, logprobs: Vec<TokenLogprob>) {
        let tokens = std::mem::take(&mut self.unsent);
        self.job.send(Event::Delta(Delta { index: self.index, text, tokens, logprobs }));
        if self.job.answer.is_not_read() {
            self.job.fail(Failure::NotRead(self.job.answer.bytes()));
        }
    }

    /// Ends the whole request with an error.
    pub(in crate::engine) fn fail(&self, error: impl Into<Failure>) -> Progress {
        self.job.fail(error);
        Progress::Failed
    }
}
