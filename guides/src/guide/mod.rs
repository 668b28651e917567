//! A compiled guide, and the state of one output that follows it.

pub(crate) mod mask_cache;
pub(crate) mod plan;

use crate::automaton::Automaton;
use crate::automaton::regular::Regular;
use crate::error::Refused;
use crate::guide::mask_cache::{KnownMask, MaskCache, Room};
use crate::guide::plan::Plan;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::JsonState;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::{Mask, TokenSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What an output must be: compiled once, followed by any number of outputs at the same time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Guide {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    vocabulary: Arc<Vocabulary>,
    machine: Machine,
    masks: Mutex<MaskCache>,
    /// The plan of the start, shared by all who begin there.
    plan: PlanCell,
}

#[derive(Debug)]
pub(crate) enum Machine {
    Regular(Regular),
    Json(JsonMachine),
}

/// Where an output stands. Cheap to clone, so going back some tokens is keeping a clone from before them.
#[derive(Debug, Clone)]
pub struct GuideState {
    guide: Guide,
    position: Position,
    plan: PlanCell,
}

#[derive(Debug, Clone)]
enum Position {
    Regular(u32),
    Json(JsonState),
}

/// Made when first asked for; shared by the clones of a state, so that a mask and the step after it see the same.
type PlanCell = Arc<OnceLock<Option<Plan>>>;

/// Runs `$body` with the machine and the position, whichever they are.
macro_rules! follow {
    ($state:expr, |$machine:ident, $position:ident| $body:expr) => {
        match (&$state.guide.inner.machine, &$state.position) {
            (Machine::Regular($machine), Position::Regular($position)) => $body,
            (Machine::Json($machine), Position::Json($position)) => $body,
            // A position is made by the machine of its guide.
            _ => unreachable!(),
        }
    };
}

impl Guide {
    pub(crate) fn new(vocabulary: Arc<Vocabulary>, machine: Machine, mask_bytes: usize) -> Guide {
        let masks = Mutex::new(MaskCache::new(mask_bytes));
        Guide { inner: Arc::new(Inner { vocabulary, machine, masks, plan: PlanCell::default() }) }
    }

    /// The state of an output that has not begun.
    pub fn start(&self) -> GuideState {
        let position = match &self.inner.machine {
            Machine::Regular(machine) => Position::Regular(machine.start()),
            Machine::Json(machine) => Position::Json(machine.start()),
        };
        GuideState { guide: self.clone(), position, plan: self.inner.plan.clone() }
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
        let machine = match &self.inner.machine {
            Machine::Regular(machine) => machine.size(),
            Machine::Json(machine) => machine.size(),
        };
        machine + self.masks().bytes()
    }
}

impl GuideState {
    /// The tokens that may come next. With a budget, `tokens_left` counts the token about to be drawn, and only tokens
    /// are allowed after which the output can be completed within the rest; end tokens cost nothing. As long as the
    /// budget is at least [`min_tokens_left`](Self::min_tokens_left), some token is allowed.
    pub fn mask(&self, tokens_left: Option<u32>) -> Mask {
        follow!(self, |machine, position| {
            let key = machine.key(position);
            let make = || self.made(machine, position, machine.cost(position), u32::MAX);
            let free = self.known_or_made(key, Room::Free, make);
            // Without a budget nothing depends on the cost.
            let Some(left) = tokens_left else { return free.mask };
            let cost = machine.cost(position);
            match Room::of(cost, free.growth, left) {
                Room::Free => free.mask,
                Room::Short => self.mask_of_plan(machine, position, cost, left),
                room @ Room::Spare(spare) => {
                    let made = || self.made(machine, position, cost, (cost + spare).saturating_sub(1));
                    self.known_or_made(key, room, made).mask
                }
            }
        })
    }

    /// As [`mask`](Self::mask), if no work is needed for it.
    pub fn known_mask(&self, tokens_left: Option<u32>) -> Option<Mask> {
        let key = follow!(self, |machine, position| machine.key(position));
        let free = self.guide.masks().get(key, Room::Free)?.clone();
        let Some(left) = tokens_left else { return Some(free.mask) };
        let cost = follow!(self, |machine, position| machine.cost(position));
        match Room::of(cost, free.growth, left) {
            Room::Free => Some(free.mask),
            room => self.guide.masks().get(key, room).map(|known| known.mask.clone()),
        }
    }

    fn known_or_made(&self, key: u128, room: Room, make: impl FnOnce() -> KnownMask) -> KnownMask {
        if let Some(known) = self.guide.masks().get(key, room) {
            return known.clone();
        }
        let known = make();
        self.guide.masks().insert(key, room, &known);
        known
    }

    /// The mask of the tokens after which the output can be completed in `bytes`.
    fn made<A: Automaton>(&self, machine: &A, position: &A::State, cost: u32, bytes: u32) -> KnownMask {
        let vocabulary = &self.guide.inner.vocabulary;
        let mut set = TokenSet::new(vocabulary.mask_words());
        let reach = if bytes == u32::MAX {
            machine.allowed(vocabulary, position, &mut set)
        } else {
            machine.allowed_within(vocabulary, position, bytes, &mut set);
            0
        };
        if cost == 0 {
            set.insert_all(vocabulary.end_tokens());
        }
        KnownMask { mask: set.into_mask(), growth: reach.saturating_sub(cost) }
    }

    /// The mask where there are fewer tokens left than bytes to write: those to write in longer tokens.
    fn mask_of_plan<A: Automaton>(&self, machine: &A, position: &A::State, cost: u32, left: u32) -> Mask {
        let vocabulary = &self.guide.inner.vocabulary;
        let mut set = TokenSet::new(vocabulary.mask_words());
        if let Some(rest) = left.checked_sub(1) {
            machine.allowed_within(vocabulary, position, rest, &mut set);
            let plan = self.plan(machine, position).filter(|plan| plan.len() <= left);
            if let Some(head) = plan.and_then(Plan::head) {
                set.insert(head);
            }
        }
        if cost == 0 {
            set.insert_all(vocabulary.end_tokens());
        }
        set.into_mask()
    }

    fn plan<A: Automaton>(&self, machine: &A, position: &A::State) -> Option<&Plan> {
        self.plan.get_or_init(|| Plan::new(machine, self.guide.inner.vocabulary.trie(), position)).as_ref()
    }

    /// Appends a token to the output. An end token is accepted where the output may end, and changes nothing.
    pub fn advance(&mut self, token: u32) -> Result<(), Refused> {
        let refused = Refused { token };
        let vocabulary = self.guide.inner.vocabulary.clone();
        if vocabulary.end_tokens().binary_search(&token).is_ok() {
            return if self.may_end() { Ok(()) } else { Err(refused) };
        }
        let bytes = vocabulary.bytes(token).ok_or(refused)?;
        self.position = match (&self.guide.inner.machine, &self.position) {
            (Machine::Regular(machine), Position::Regular(position)) => {
                Position::Regular(run(machine, position, bytes).ok_or(refused)?)
            }
            (Machine::Json(machine), Position::Json(position)) => {
                Position::Json(run(machine, position, bytes).ok_or(refused)?)
            }
            _ => return Err(refused),
        };
        let planned = match self.plan.get() {
            Some(Some(plan)) if plan.head() == Some(token) => OnceLock::from(Some(plan.tail())),
            _ => OnceLock::new(),
        };
        self.plan = Arc::new(planned);
        Ok(())
    }

    /// Whether the output so far is complete.
    pub fn may_end(&self) -> bool {
        follow!(self, |machine, position| machine.cost(position) == 0)
    }

    /// Whether the output so far is complete and nothing can follow.
    pub fn must_end(&self) -> bool {
        follow!(self, |machine, position| machine.cost(position) == 0 && machine.is_final(position))
    }

    /// The number of tokens that complete the output from here for certain; zero where it is complete. The fewest
    /// there are where that is cheap to know, else a safe upper bound.
    pub fn min_tokens_left(&self) -> u32 {
        follow!(self, |machine, position| {
            let cost = machine.cost(position);
            match cost {
                0 => 0,
                cost => self.plan(machine, position).map_or(cost, |plan| cost.min(plan.len())),
            }
        })
    }

    /// Whether so many tokens suffice to complete the output from here: whether [`min_tokens_left`](Self::min_tokens_left) is at most
    /// that, which is cheaper to tell.
    pub fn completes_within(&self, tokens: u32) -> bool {
        let cost = follow!(self, |machine, position| machine.cost(position));
        cost <= tokens || self.min_tokens_left() <= tokens
    }

    /// The text that must come next, as far as there is no other: whole characters, at most `most` bytes; empty where there
    /// is a choice, the choice to end the output included.
    pub fn forced_text(&self, most: usize) -> String {
        let mut bytes = follow!(self, |machine, position| forced_bytes(machine, position, most));
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

/// The bytes of which each is the only one that can follow.
fn forced_bytes<A: Automaton>(machine: &A, position: &A::State, most: usize) -> Vec<u8> {
    let (mut state, mut text) = (position.clone(), Vec::new());
    while text.len() < most && machine.cost(&state) > 0 {
        let bytes = machine.next_bytes(&state);
        // Where there is a choice, there is nearly always one among these.
        let readable = (0x20..=0x7E).filter(|&byte| bytes.contains(byte));
        let others = (0x80..=0xFF).chain(0..0x20).chain([0x7F]).filter(|&byte| bytes.contains(byte));
        let mut nexts = readable.chain(others).filter_map(|byte| Some((byte, machine.step(&state, byte)?)));
        let (Some((byte, next)), None) = (nexts.next(), nexts.next()) else { break };
        drop(nexts);
        text.push(byte);
        state = next;
    }
    text
}

fn run<A: Automaton>(machine: &A, position: &A::State, bytes: &[u8]) -> Option<A::State> {
    let (first, rest) = bytes.split_first()?;
    rest.iter().try_fold(machine.step(position, *first)?, |state, &byte| machine.step(&state, byte))
}

impl Guide {
    fn masks(&self) -> std::sync::MutexGuard<'_, MaskCache> {
        self.inner.masks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
