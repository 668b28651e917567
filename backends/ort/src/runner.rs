//! [`Runner`]: computes a step of the engine by one or more runs of the graph.

use std::cmp::Reverse;
use std::ffi::c_void;

use half::{bf16, f16};
use jig_plugin_api::{Error, LogitsWanted, Result, SequenceId};
use ort::session::Session;
use ort::value::TensorElementType;

use crate::binding::{Binding, Tensor};
use crate::cache::{Bound, Cache};
use crate::device::Device;
use crate::interface::{Interface, Named};
use crate::memory::{Memory, Place, Staging};

/// The most bytes of a run's logits; longer chunks are run in pieces.
const LOGIT_BYTES: usize = 256 << 20;
/// A sequence joins a run if it is at least this share of the longest one ...
const LEAST_SHARE: usize = 4;
/// ... or shorter by at most this many tokens: padding them costs less than reading the weights once more.
const SHORT: usize = 512;

/// Tokens to append to a sequence.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    pub(crate) sequence: SequenceId,
    pub(crate) tokens: Vec<u32>,
    pub(crate) logits: LogitsWanted,
}

impl Append {
    /// Rows of logits that are wanted.
    pub(crate) fn rows(&self) -> usize {
        match self.logits {
            LogitsWanted::None => 0,
            LogitsWanted::Last => 1,
            LogitsWanted::All => self.tokens.len(),
        }
    }
}

/// What a graph can do beyond one sequence at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// It appends more than one token to a sequence that already has some.
    pub(crate) chunks: bool,
    /// It takes sequences of different lengths in one run.
    pub(crate) padding: bool,
    /// It computes logits of the last position only.
    pub(crate) last_only: bool,
}

/// A graph, its cache, and the memory that is bound to it.
pub(crate) struct Runner {
    session: Session,
    interface: Interface,
    cache: Box<dyn Cache>,
    pub(crate) abilities: Abilities,
    binding: Binding,
    tokens: Integers,
    mask: Integers,
    positions: Integers,
    branch: [bool; 1],
    /// Where the graph runs.
    place: Place,
    logits: Option<Memory>,
    staging: Staging,
}

impl Runner {
    /// The graph of a session on `device`, whose memory is `place`.
    pub(crate) fn new(
        session: Session,
        interface: Interface,
        cache: Box<dyn Cache>,
        device: Device,
        place: Place,
    ) -> Result<Self> {
        let binding = Binding::new(&session, device)?;
        let abilities = Abilities { chunks: true, padding: interface.mask.is_some(), last_only: interface.last_only };
        let integers = |named: Option<&Named>| Integers::new(named.map(|named| named.element));
        Ok(Self {
            tokens: integers(Some(&interface.tokens)),
            mask: integers(interface.mask.as_ref()),
            positions: integers(interface.positions.as_ref()),
            branch: [false],
            place,
            logits: None,
            staging: Staging::default(),
            session,
            interface,
            cache,
            abilities,
            binding,
        })
    }

    pub(crate) fn interface(&self) -> &Interface {
        &self.interface
    }

    pub(crate) fn cache(&mut self) -> &mut dyn Cache {
        &mut *self.cache
    }

    /// Appends all tokens, and returns the wanted rows of logits one after the other, in the memory of `rows`.
    pub(crate) fn step(&mut self, appends: &[Append], mut rows: Vec<f32>) -> Result<Vec<f32>> {
        let width = self.interface.vocab_size;
        let mut firsts = Vec::with_capacity(appends.len());
        let mut total = 0;
        for append in appends {
            firsts.push(total);
            total += append.rows();
        }
        rows.resize(total * width, 0.0);
        for run in self.plan(appends) {
            // A run of several sequences has one token of each.
            let count = run.first().and_then(|index| appends.get(*index)).map_or(0, |append| append.tokens.len());
            let mut done = 0;
            while done < count {
                let piece = self.piece(appends, &run, done, count);
                self.run(appends, &run, done..done + piece, &firsts, &mut rows)?;
                done += piece;
            }
        }
        Ok(rows)
    }

    /// Groups chunks into runs: chunks of one token run together if their lengths allow it, all others alone.
    fn plan(&self, appends: &[Append]) -> Vec<Vec<usize>> {
        let (mut short, mut runs) = (Vec::new(), Vec::new());
        for (index, append) in appends.iter().enumerate() {
            if append.tokens.len() == 1 {
                short.push((Reverse(self.cache.length(append.sequence)), index));
            } else {
                runs.push(vec![index]);
            }
        }
        short.sort_unstable();
        let mut longest = None;
        for (Reverse(length), index) in short {
            let joins = longest.is_some_and(|longest: usize| match self.abilities.padding {
                true => length * LEAST_SHARE >= longest || longest - length <= SHORT,
                false => length == longest,
            });
            match runs.last_mut().filter(|_| joins) {
                Some(run) => run.push(index),
                None => {
                    longest = Some(length);
                    runs.push(vec![index]);
                }
            }
        }
        runs
    }

    /// The most tokens of a chunk in one run.
    fn piece(&self, appends: &[Append], run: &[usize], done: usize, count: usize) -> usize {
        let Some(append) = run.first().and_then(|index| appends.get(*index)) else { return count };
        let has_past = self.cache.length(append.sequence) > 0;
        let one_by_one =
            (has_past && !self.abilities.chunks) || (self.abilities.last_only && append.logits == LogitsWanted::All);
        let positions =
            if self.abilities.last_only { usize::MAX } else { LOGIT_BYTES / (4 * self.interface.vocab_size) };
        if one_by_one { 1 } else { (count - done).min(positions.max(1)) }
    }

    /// Runs the graph once, and copies the wanted rows of logits.
    fn run(
        &mut self,
        appends: &[Append],
        run: &[usize],
        range: std::ops::Range<usize>,
        firsts: &[usize],
        rows: &mut [f32],
    ) -> Result<()> {
        let count = range.len();
        let chosen: Vec<&Append> = run.iter().filter_map(|index| appends.get(*index)).collect();
        let sequences: Vec<_> = chosen.iter().map(|append| append.sequence).collect();
        let bound = self.cache.prepare(&sequences, count)?;
        self.fill(&chosen, &range, &bound);
        let positions = if self.abilities.last_only { 1 } else { count };
        self.bind(&bound, count, positions)?;
        // Wait for the cache's copies on a GPU: ONNX Runtime's stream does not.
        self.place.synchronize()?;
        // SAFETY: everything is bound anew just now, to memory of this runner and its cache.
        unsafe { self.binding.run(&mut self.session) }?;
        self.cache.commit();

        let width = self.interface.vocab_size;
        let element = self.interface.logits.element;
        let bytes = element.byte_size(width).unwrap_or(0);
        let Self { logits: Some(logits), staging, .. } = self else {
            return Err(Error::internal("there are no logits"));
        };
        let wanted = |append: &Append| match append.logits {
            LogitsWanted::None => 0..0,
            LogitsWanted::Last if range.end < append.tokens.len() => 0..0,
            LogitsWanted::Last => positions - 1..positions,
            LogitsWanted::All => 0..positions,
        };
        // Several sequences have one position each, so the wanted rows are adjacent: one copy from a GPU.
        let span = if let [append] = chosen.as_slice() { wanted(append) } else { 0..bound.order.len() };
        let held = logits.read(span.start * bytes, span.len() * bytes, staging)?;
        for (row, index) in bound.order.iter().enumerate() {
            let (Some(append), Some(first)) = (chosen.get(*index), run.get(*index).and_then(|at| firsts.get(*at)))
            else {
                continue;
            };
            let target = if append.logits == LogitsWanted::All { first + range.start } else { *first };
            for (offset, position) in wanted(append).enumerate() {
                let source = held.get((row * positions + position - span.start) * bytes..);
                let source = source.and_then(|rest| rest.get(..bytes)).unwrap_or_default();
                let target = rows.get_mut((target + offset) * width..).and_then(|rest| rest.get_mut(..width));
                convert(source, element, target.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Writes the integer inputs: tokens, mask and positions, row by row.
    fn fill(&mut self, chosen: &[&Append], range: &std::ops::Range<usize>, bound: &Bound) {
        self.tokens.clear();
        self.mask.clear();
        self.positions.clear();
        for ((index, seen), length) in bound.order.iter().zip(&bound.seen).zip(&bound.lengths) {
            let tokens = chosen.get(*index).and_then(|append| append.tokens.get(range.clone())).unwrap_or_default();
            self.tokens.extend(tokens.iter().map(|token| i64::from(*token)));
            self.positions.extend((*length..length + range.len()).map(|position| position as i64));
            self.mask.extend((0..bound.mask_slots).map(|slot| i64::from(seen.contains(&slot))));
        }
        self.branch = [bound.past_slots > 0];
    }

    fn bind(&mut self, bound: &Bound, count: usize, positions: usize) -> Result<()> {
        let Self { interface, binding, .. } = self;
        let rows = bound.order.len();
        let tensor = |named: &Named, data: *mut c_void| (named.name.clone(), named.element, data);
        let short = [
            Some((tensor(&interface.tokens, self.tokens.pointer()), [rows, count])),
            interface.mask.as_ref().map(|named| (tensor(named, self.mask.pointer()), [rows, bound.mask_slots])),
            interface.positions.as_ref().map(|named| (tensor(named, self.positions.pointer()), [rows, count])),
        ];
        for ((name, element, data), sizes) in short.into_iter().flatten() {
            // SAFETY: `fill` has just written as many numbers of this type, and they stay until the next step.
            unsafe { binding.input(&name, Tensor { data, element, on_device: false, sizes: &sizes }) }?;
        }
        if let Some(name) = &interface.branch {
            let data = self.branch.as_mut_ptr().cast();
            // SAFETY: the truth value is a byte, as ONNX Runtime's is.
            unsafe {
                binding.input(name, Tensor { data, element: TensorElementType::Bool, on_device: false, sizes: &[1] })
            }?;
        }
        for (index, (heads, width)) in interface.kv.tensors.iter().enumerate() {
            let (Some(past), Some(present)) = (interface.past.get(index), interface.present.get(index)) else {
                continue;
            };
            let (Some(from), Some(to)) = (bound.past.get(index), bound.present.get(index)) else { continue };
            let sizes = |slots| [rows, *heads, slots, *width];
            // SAFETY: the cache holds tensors of these sizes there until its next call.
            unsafe {
                let element = past.element;
                let (from_sizes, to_sizes) = (sizes(bound.past_slots), sizes(bound.present_slots));
                binding.input(&past.name, Tensor { data: *from, element, on_device: true, sizes: &from_sizes })?;
                binding.output(&present.name, Tensor { data: *to, element, on_device: true, sizes: &to_sizes })?;
            }
        }
        let sizes = [rows, positions, interface.vocab_size];
        let element = interface.logits.element;
        let bytes = element.byte_size(sizes.iter().product()).unwrap_or(usize::MAX);
        if self.logits.as_ref().is_none_or(|memory| memory.len() < bytes) {
            self.logits = Some(Memory::new(&self.place, bytes)?);
        }
        if let Some(memory) = &mut self.logits {
            // SAFETY: the memory has just been made large enough, and stays until the next step.
            unsafe {
                let tensor = Tensor { data: memory.pointer(), element, on_device: true, sizes: &sizes };
                binding.output(&interface.logits.name, tensor)
            }?;
        }
        Ok(())
    }
}

/// Integers of the type that an input has.
enum Integers {
    Wide(Vec<i64>),
    Narrow(Vec<i32>),
    /// The graph has no such input.
    None,
}

impl Integers {
    fn new(element: Option<TensorElementType>) -> Self {
        match element {
            None => Self::None,
            Some(TensorElementType::Int32) => Self::Narrow(Vec::new()),
            Some(_) => Self::Wide(Vec::new()),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Wide(numbers) => numbers.clear(),
            Self::Narrow(numbers) => numbers.clear(),
            Self::None => {}
        }
    }

    fn extend(&mut self, values: impl Iterator<Item = i64>) {
        match self {
            Self::Wide(numbers) => numbers.extend(values),
            // Tokens and positions are below 2^31.
            Self::Narrow(numbers) => numbers.extend(values.map(|value| value as i32)),
            Self::None => {}
        }
    }

    fn pointer(&mut self) -> *mut c_void {
        match self {
            Self::Wide(numbers) => numbers.as_mut_ptr().cast(),
            Self::Narrow(numbers) => numbers.as_mut_ptr().cast(),
            Self::None => std::ptr::null_mut(),
        }
    }
}

/// Logits of any type as `f32`.
fn convert(source: &[u8], element: TensorElementType, target: &mut [f32]) {
    match element {
        TensorElementType::Float32 => {
            let (values, _) = source.as_chunks::<4>();
            target.iter_mut().zip(values).for_each(|(target, bytes)| *target = f32::from_le_bytes(*bytes));
        }
        _ => {
            let (values, _) = source.as_chunks::<2>();
            let is_f16 = element == TensorElementType::Float16;
            for (target, bytes) in target.iter_mut().zip(values) {
                *target =
                    if is_f16 { f16::from_le_bytes(*bytes).to_f32() } else { bf16::from_le_bytes(*bytes).to_f32() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_of_each_type_become_the_same_numbers() {
        let numbers = [1.5f32, -2.0, 0.25];
        let bytes = |size: usize| -> Vec<u8> {
            let of = |x: &f32| match size {
                4 => x.to_le_bytes().to_vec(),
                2 => f16::from_f32(*x).to_le_bytes().to_vec(),
                _ => bf16::from_f32(*x).to_le_bytes().to_vec(),
            };
            numbers.iter().flat_map(of).collect()
        };
        for (size, element) in
            [(4, TensorElementType::Float32), (2, TensorElementType::Float16), (0, TensorElementType::Bfloat16)]
        {
            let mut found = [0.0; 3];
            convert(&bytes(size), element, &mut found);
            assert_eq!(found, numbers);
        }
    }
}
