//! A compiled guide, and the state of an output that follows it.
//!
//! [`Guide`] is shared by all outputs; [`GuideState`] belongs to one. A mask depends on the key of the automaton's state and on the budget,
//! so masks are cached in the guide.
//!
//! | file | what it holds |
//! |---|---|
//! | `position` | a state of some automaton, as a trait object: a guide does not know its automaton's type |
//! | `mask_cache` | masks by state and slack |
//! | `plan` | a completion in tokens, for tight budgets |
//!
//! # Invariants
//!
//! - With a budget of at least [`GuideState::min_tokens_left`] some token is allowed, and after each allowed token that still holds.
//!   So an output with a sufficient budget is always completed.
//! - A state never changes what its clones see: `advance` replaces the position and the plan.

mod mask_cache;
mod plan;
mod position;

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::error::Refused;
use crate::guide::mask_cache::{KnownMask, MaskCache, Slack};
use crate::guide::plan::Plan;
use crate::guide::position::Position;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::{Mask, TokenSet};
use crate::vocabulary::shared_sets::SharedSets;
use std::sync::{Arc, OnceLock};

/// A compiled source: any number of outputs follow it at the same time, in any threads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Guide {
    inner: Arc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    vocabulary: Arc<Vocabulary>,
    /// The position of an output that has not begun.
    start: Arc<dyn Position>,
    masks: MaskCache,
    /// The sets that all guides of the vocabulary keep.
    shared: Arc<SharedSets>,
    /// The plan of the start, shared by all outputs.
    plan: PlanCell,
}

/// The state of an output. Cheap to clone: to go back some tokens, keep a clone from before them.
#[derive(Debug, Clone)]
pub struct GuideState {
    guide: Guide,
    position: Arc<dyn Position>,
    plan: PlanCell,
}

/// A plan, made at the first use and shared by the clones of a state, so that a mask and the step after it use the same plan.
type PlanCell = Arc<OnceLock<Option<Plan>>>;

impl Guide {
    pub(crate) fn new<A: Automaton>(
        vocabulary: Arc<Vocabulary>,
        automaton: A,
        mask_bytes: usize,
        shared: Arc<SharedSets>,
    ) -> Guide {
        let masks = MaskCache::new(mask_bytes);
        let start = position::start(automaton);
        Guide { inner: Arc::new(Compiled { vocabulary, start, masks, shared, plan: PlanCell::default() }) }
    }

    /// The state of an output that has not begun.
    pub fn start(&self) -> GuideState {
        GuideState { guide: self.clone(), position: self.inner.start.clone(), plan: self.inner.plan.clone() }
    }

    /// A number of tokens that is enough for a whole output, the end token not counted. With a smaller budget an output may stay
    /// incomplete.
    pub fn min_tokens(&self) -> u32 {
        self.start().min_tokens_left()
    }

    /// The vocabulary that the guide was compiled for.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.inner.vocabulary
    }

    /// Number of masks in the cache.
    pub fn known_masks(&self) -> usize {
        self.masks().len()
    }

    /// Memory in bytes, cached masks included.
    pub fn bytes(&self) -> usize {
        self.inner.start.automaton_bytes() + self.masks().bytes()
    }

    fn masks(&self) -> &MaskCache {
        &self.inner.masks
    }
}

impl GuideState {
    /// The tokens that may come next. With a budget, `tokens_left` includes the next token, and a token is allowed only if the output can
    /// be completed within the rest; end tokens cost nothing. If the budget is at least [`min_tokens_left`](Self::min_tokens_left), some
    /// token is allowed.
    pub fn mask(&self, tokens_left: Option<u32>) -> Mask {
        let key = self.position.key();
        let free = self.known_or_made(key, Slack::Free, || self.made(self.position.cost(), u32::MAX));
        // Without a budget nothing depends on the cost.
        let Some(left) = tokens_left else { return free.mask };
        let cost = self.position.cost();
        match Slack::of(cost.get(), free.growth, left) {
            Slack::Free => free.mask,
            Slack::Short => self.mask_of_plan(cost, left),
            slack @ Slack::Spare(spare) => {
                self.known_or_made(key, slack, || self.made(cost, (cost + spare).get().saturating_sub(1))).mask
            }
        }
    }

    /// As [`mask`](Self::mask), if the mask is in the cache; `None` if it takes work.
    pub fn known_mask(&self, tokens_left: Option<u32>) -> Option<Mask> {
        let key = self.position.key();
        let free = self.guide.masks().get(&(key, Slack::Free))?;
        let Some(left) = tokens_left else { return Some(free.mask) };
        match Slack::of(self.position.cost().get(), free.growth, left) {
            Slack::Free => Some(free.mask),
            slack => self.guide.masks().get(&(key, slack)).map(|known| known.mask),
        }
    }

    /// Whether a budget of `tokens_left` tokens takes away tokens that the source allows here. With so small a budget that completions are
    /// planned token by token the answer is yes.
    pub fn is_narrowed_by(&self, tokens_left: u32) -> bool {
        let key = self.position.key();
        let Some(free) = self.guide.masks().get(&(key, Slack::Free)) else {
            return self.mask(Some(tokens_left)) != self.mask(None);
        };
        match Slack::of(self.position.cost().get(), free.growth, tokens_left) {
            Slack::Free => false,
            Slack::Short => true,
            Slack::Spare(_) => self.mask(Some(tokens_left)) != free.mask,
        }
    }

    fn known_or_made(&self, key: u128, slack: Slack, make: impl FnOnce() -> KnownMask) -> KnownMask {
        self.guide.masks().get_or_make((key, slack), |_, known| known.bytes(), make)
    }

    /// The mask of the tokens after which the output can be completed in `bytes` bytes, `u32::MAX` for any number; `cost` is the cost of
    /// the position.
    fn made(&self, cost: Cost, bytes: u32) -> KnownMask {
        let vocabulary = &self.guide.inner.vocabulary;
        let mut set = TokenSet::new(vocabulary.mask_words());
        let reach = if bytes == u32::MAX {
            self.position.allowed(vocabulary, &mut set)
        } else {
            self.position.allowed_within(vocabulary, bytes, &mut set);
            Cost::ZERO
        };
        if cost == 0 {
            set.insert_all(vocabulary.end_tokens());
        }
        KnownMask { mask: self.guide.inner.shared.mask(set), growth: reach.beyond(cost) }
    }

    /// The mask for a budget of fewer tokens than the completion has bytes: the tokens after which the rest suffices for a token per byte,
    /// and the head of the plan. The plan is not part of the state's key, so this mask is not cached.
    fn mask_of_plan(&self, cost: Cost, left: u32) -> Mask {
        let vocabulary = &self.guide.inner.vocabulary;
        let mut set = TokenSet::new(vocabulary.mask_words());
        if let Some(rest) = left.checked_sub(1) {
            self.position.allowed_within(vocabulary, rest, &mut set);
            let plan = self.plan().filter(|plan| plan.len() <= left);
            if let Some(head) = plan.and_then(Plan::head) {
                set.insert(head);
            }
        }
        if cost == 0 {
            set.insert_all(vocabulary.end_tokens());
        }
        set.into_mask()
    }

    fn plan(&self) -> Option<&Plan> {
        self.plan.get_or_init(|| self.position.plan(self.guide.inner.vocabulary.trie())).as_ref()
    }

    /// Appends a token to the output. An end token is accepted if the output may end, and changes nothing.
    ///
    /// # Errors
    /// [`Refused`] if the guide does not allow the token; the state is unchanged. A token beyond a budget is not refused.
    pub fn advance(&mut self, token: u32) -> Result<(), Refused> {
        let refused = Refused { token };
        let vocabulary = &self.guide.inner.vocabulary;
        if vocabulary.end_tokens().binary_search(&token).is_ok() {
            return if self.may_end() { Ok(()) } else { Err(refused) };
        }
        let next = match vocabulary.bytes(token) {
            Some(bytes) => self.position.after(bytes),
            None => self.position.after_special(token),
        };
        self.position = next.ok_or(refused)?;
        let planned = match self.plan.get() {
            Some(Some(plan)) if plan.head() == Some(token) => OnceLock::from(Some(plan.tail())),
            _ => OnceLock::new(),
        };
        self.plan = Arc::new(planned);
        Ok(())
    }

    /// Where the output may end inside the next token: the numbers of the token's bytes after which the output is complete, in rising order.
    /// The last one is the length of the token if the output may end after it. Empty for a token that spells nothing.
    pub fn ends_within(&self, token: u32) -> Vec<usize> {
        let bytes = self.guide.inner.vocabulary.bytes(token);
        bytes.map_or_else(Vec::new, |bytes| self.position.ends_within(bytes))
    }

    /// Whether the output so far is complete.
    pub fn may_end(&self) -> bool {
        self.position.cost() == 0
    }

    /// Whether the output so far is complete and nothing can follow.
    pub fn must_end(&self) -> bool {
        self.position.cost() == 0 && self.position.is_final()
    }

    /// A number of tokens that completes the output from here, zero if it is complete: the tokens of the shortest completion in bytes, or
    /// its bytes if it is long. An upper bound of the fewest tokens.
    pub fn min_tokens_left(&self) -> u32 {
        match self.position.cost().get() {
            0 => 0,
            cost => self.plan().map_or(cost, |plan| cost.min(plan.len())),
        }
    }

    /// Whether [`min_tokens_left`](Self::min_tokens_left) is at most `tokens`. Cheaper, as it makes no plan if the bytes fit already.
    pub fn completes_within(&self, tokens: u32) -> bool {
        self.position.cost() <= tokens || self.min_tokens_left() <= tokens
    }

    /// The longest text that every output from here begins with, up to `most` bytes of whole characters. It is empty if there is a choice,
    /// such as to end the output.
    pub fn forced_text(&self, most: usize) -> String {
        let mut bytes = self.position.forced(most);
        if let Err(error) = std::str::from_utf8(&bytes) {
            bytes.truncate(error.valid_up_to());
        }
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// The guide of the output.
    pub fn guide(&self) -> &Guide {
        &self.guide
    }
}
