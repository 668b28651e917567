//! A compiled guide, and the state of one output that follows it.

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
use std::sync::{Arc, OnceLock};

/// What an output must be: compiled once, followed by any number of outputs at the same time. Cheap to clone.
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
    /// The plan of the start, shared by all who begin there.
    plan: PlanCell,
}

/// Where an output stands. Cheap to clone, so going back some tokens is keeping a clone from before them.
#[derive(Debug, Clone)]
pub struct GuideState {
    guide: Guide,
    position: Arc<dyn Position>,
    plan: PlanCell,
}

/// Made when first asked for; shared by the clones of a state, so that a mask and the step after it see the same.
type PlanCell = Arc<OnceLock<Option<Plan>>>;

impl Guide {
    pub(crate) fn new<A: Automaton>(vocabulary: Arc<Vocabulary>, automaton: A, mask_bytes: usize) -> Guide {
        let masks = MaskCache::new(mask_bytes);
        let start = position::start(automaton);
        Guide { inner: Arc::new(Compiled { vocabulary, start, masks, plan: PlanCell::default() }) }
    }

    /// The state of an output that has not begun.
    pub fn start(&self) -> GuideState {
        GuideState { guide: self.clone(), position: self.inner.start.clone(), plan: self.inner.plan.clone() }
    }

    /// The number of tokens in which an output is possible for certain: a budget of so many leads to a whole answer.
    /// The end token is not counted.
    pub fn min_tokens(&self) -> u32 {
        self.start().min_tokens_left()
    }

    /// The vocabulary whose tokens the guide speaks of.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.inner.vocabulary
    }

    /// Number of states whose masks are remembered.
    pub fn known_masks(&self) -> usize {
        self.masks().len()
    }

    /// Memory in bytes, remembered masks included.
    pub fn bytes(&self) -> usize {
        self.inner.start.automaton_bytes() + self.masks().bytes()
    }

    fn masks(&self) -> &MaskCache {
        &self.inner.masks
    }
}

impl GuideState {
    /// The tokens that may come next. With a budget, `tokens_left` counts the token about to be drawn, and only tokens
    /// are allowed after which the output can be completed within the rest; end tokens cost nothing. As long as the
    /// budget is at least [`min_tokens_left`](Self::min_tokens_left), some token is allowed.
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

    /// As [`mask`](Self::mask), if no work is needed for it.
    pub fn known_mask(&self, tokens_left: Option<u32>) -> Option<Mask> {
        let key = self.position.key();
        let free = self.guide.masks().get(&(key, Slack::Free))?;
        let Some(left) = tokens_left else { return Some(free.mask) };
        match Slack::of(self.position.cost().get(), free.growth, left) {
            Slack::Free => Some(free.mask),
            slack => self.guide.masks().get(&(key, slack)).map(|known| known.mask),
        }
    }

    fn known_or_made(&self, key: u128, slack: Slack, make: impl FnOnce() -> KnownMask) -> KnownMask {
        self.guide.masks().get_or_make((key, slack), |_, known| known.bytes(), make)
    }

    /// The mask of the tokens after which the output can be completed in `bytes`; `cost` is that of the position.
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
        KnownMask { mask: set.into_mask(), growth: reach.beyond(cost) }
    }

    /// The mask where there are fewer tokens left than bytes to write: those to write in longer tokens.
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

    /// Appends a token to the output. An end token is accepted where the output may end, and changes nothing.
    pub fn advance(&mut self, token: u32) -> Result<(), Refused> {
        let refused = Refused { token };
        let vocabulary = &self.guide.inner.vocabulary;
        if vocabulary.end_tokens().binary_search(&token).is_ok() {
            return if self.may_end() { Ok(()) } else { Err(refused) };
        }
        let bytes = vocabulary.bytes(token).ok_or(refused)?;
        self.position = self.position.after(bytes).ok_or(refused)?;
        let planned = match self.plan.get() {
            Some(Some(plan)) if plan.head() == Some(token) => OnceLock::from(Some(plan.tail())),
            _ => OnceLock::new(),
        };
        self.plan = Arc::new(planned);
        Ok(())
    }

    /// Whether the output so far is complete.
    pub fn may_end(&self) -> bool {
        self.position.cost() == 0
    }

    /// Whether the output so far is complete and nothing can follow.
    pub fn must_end(&self) -> bool {
        self.position.cost() == 0 && self.position.is_final()
    }

    /// The number of tokens that complete the output from here for certain; zero where it is complete. The fewest
    /// there are where that is cheap to know, else a safe upper bound.
    pub fn min_tokens_left(&self) -> u32 {
        match self.position.cost().get() {
            0 => 0,
            cost => self.plan().map_or(cost, |plan| cost.min(plan.len())),
        }
    }

    /// Whether so many tokens suffice to complete the output from here: whether [`min_tokens_left`](Self::min_tokens_left) is at most
    /// that, which is cheaper to tell.
    pub fn completes_within(&self, tokens: u32) -> bool {
        self.position.cost() <= tokens || self.min_tokens_left() <= tokens
    }

    /// The text that must come next, as far as there is no other: whole characters, at most `most` bytes; empty where there
    /// is a choice, the choice to end the output included.
    pub fn forced_text(&self, most: usize) -> String {
        let mut bytes = self.position.forced(most);
        if let Err(error) = std::str::from_utf8(&bytes) {
            bytes.truncate(error.valid_up_to());
        }
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// The guide that is followed.
    pub fn guide(&self) -> &Guide {
        &self.guide
    }
}
