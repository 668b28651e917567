//! The cache of graphs that write new slots into the buffer of the past: nothing is copied from step to step.
//!
//! All sequences are rows of one block of tensors, each from slot 0 on. A run takes adjacent rows; rows are swapped if
//! the sequences of a run are not adjacent. Rows and slots grow by doubling; slots that were never written take no
//! memory.

use std::collections::HashMap;

use jig_plugin_api::{Error, Result, SequenceId};

use super::{Bound, Cache, Row, Shape, Tensors};
use crate::memory::Place;

const LEAST_SLOTS: usize = 256;

/// See the module.
pub(crate) struct Shared {
    place: Place,
    shape: Shape,
    /// The longest sequence.
    most_slots: usize,
    tensors: Option<Tensors>,
    /// The sequences in the rows, with their lengths.
    rows: Vec<(SequenceId, usize)>,
    places: HashMap<SequenceId, usize>,
    /// The rows of the prepared run: the first one, their number, and the number of tokens that each of them gets.
    prepared: Option<(usize, usize, usize)>,
}

impl Shared {
    pub(crate) fn new(place: Place, shape: Shape, most_slots: usize) -> Self {
        Self { place, shape, most_slots, tensors: None, rows: Vec::new(), places: HashMap::new(), prepared: None }
    }

    /// Grows to at least `rows` rows and `slots` slots, and keeps the contents.
    fn reserve(&mut self, rows: usize, slots: usize) -> Result<()> {
        let (old_rows, old_slots) = self.tensors.as_ref().map_or((0, 0), |tensors| (tensors.rows, tensors.slots));
        if rows <= old_rows && slots <= old_slots {
            return Ok(());
        }
        let rows = if rows > old_rows { rows.next_power_of_two() } else { old_rows };
        let slots = if slots > old_slots {
            slots.next_power_of_two().max(LEAST_SLOTS).min(self.most_slots.max(slots))
        } else {
            old_slots
        };
        let mut larger = Tensors::new(&self.place, &self.shape, rows, slots)?;
        if let Some(old) = &self.tensors {
            for (row, (_, length)) in self.rows.iter().enumerate() {
                let to = Row { row, stride: slots, first: 0 };
                larger.copy(&self.shape, to, old, Row { stride: old_slots, ..to }, *length)?;
            }
        }
        self.tensors = Some(larger);
        Ok(())
    }

    /// Copies the first tokens of a row to another row.
    fn copy(&mut self, to: usize, from: usize, length: usize) -> Result<()> {
        let Some(tensors) = &mut self.tensors else { return Ok(()) };
        let stride = tensors.slots;
        let row = |row| Row { row, stride, first: 0 };
        tensors.copy_within(&self.shape, row(to), row(from), length)
    }

    /// Swaps two rows, by way of a spare row after all others.
    fn swap(&mut self, a: usize, b: usize) -> Result<()> {
        let (Some(&(first, first_length)), Some(&(second, second_length))) = (self.rows.get(a), self.rows.get(b))
        else {
            return Err(Error::internal("rows of the KV cache that are not there"));
        };
        let waiting = self.rows.len();
        self.reserve(waiting + 1, 0)?;
        self.copy(waiting, a, first_length)?;
        self.copy(a, b, second_length)?;
        self.copy(b, waiting, first_length)?;
        self.rows.swap(a, b);
        self.places.insert(first, b);
        self.places.insert(second, a);
        Ok(())
    }

    /// The first row of the sequences, if their rows are adjacent.
    fn neighbours(&self, sequences: &[SequenceId]) -> Option<usize> {
        let rows = || sequences.iter().filter_map(|sequence| self.places.get(sequence).copied());
        let (first, last) = (rows().min()?, rows().max()?);
        (last - first + 1 == sequences.len()).then_some(first)
    }

    fn add(&mut self, sequence: SequenceId) -> Result<()> {
        if !self.places.contains_key(&sequence) {
            self.reserve(self.rows.len() + 1, 1)?;
            self.places.insert(sequence, self.rows.len());
            self.rows.push((sequence, 0));
        }
        Ok(())
    }
}

impl Cache for Shared {
    fn length(&self, sequence: SequenceId) -> usize {
        self.places.get(&sequence).and_then(|row| self.rows.get(*row)).map_or(0, |(_, length)| *length)
    }

    fn prepare(&mut self, sequences: &[SequenceId], tokens: usize) -> Result<Bound> {
        for sequence in sequences {
            self.add(*sequence)?;
        }
        let longest = sequences.iter().map(|sequence| self.length(*sequence)).max().unwrap_or(0);
        self.reserve(self.rows.len(), longest + tokens)?;
        let first = match self.neighbours(sequences) {
            Some(first) => first,
            None => {
                for (target, sequence) in sequences.iter().enumerate() {
                    match self.places.get(sequence).copied() {
                        Some(row) if row != target => self.swap(target, row)?,
                        _ => {}
                    }
                }
                0
            }
        };
        let mut order = vec![0; sequences.len()];
        for (index, sequence) in sequences.iter().enumerate() {
            let row = self.places.get(sequence).and_then(|row| order.get_mut(row - first));
            *row.ok_or_else(|| Error::internal("a sequence of the KV cache has no place"))? = index;
        }
        let lengths: Vec<usize> =
            self.rows.iter().skip(first).take(sequences.len()).map(|(_, length)| *length).collect();
        let tensors = self.tensors.as_mut().ok_or_else(|| Error::internal("there is no KV cache"))?;
        let pointers = tensors.pointers(&self.shape, first, tensors.slots);
        self.prepared = Some((first, sequences.len(), tokens));
        Ok(Bound {
            order,
            seen: lengths.iter().map(|length| 0..length + tokens).collect(),
            past_slots: tensors.slots,
            present_slots: tensors.slots,
            mask_slots: longest + tokens,
            past: pointers.clone(),
            present: pointers,
            lengths,
        })
    }

    fn commit(&mut self) {
        let Some((first, count, tokens)) = self.prepared.take() else { return };
        self.rows.iter_mut().skip(first).take(count).for_each(|(_, length)| *length += tokens);
    }

    fn fork(&mut self, parent: SequenceId, child: SequenceId, length: usize) -> Result<()> {
        let Some(from) = self.places.get(&parent).copied() else { return Ok(()) };
        self.add(child)?;
        let to = self.rows.len() - 1;
        self.copy(to, from, length)?;
        if let Some((_, held)) = self.rows.get_mut(to) {
            *held = length;
        }
        Ok(())
    }

    fn truncate(&mut self, sequence: SequenceId, length: usize) -> Result<()> {
        let row = self.places.get(&sequence).and_then(|row| self.rows.get_mut(*row));
        if let Some((_, held)) = row {
            *held = length.min(*held);
        }
        Ok(())
    }

    fn close(&mut self, sequence: SequenceId) -> Result<()> {
        let Some(row) = self.places.remove(&sequence) else { return Ok(()) };
        // The last row moves to the freed one.
        if let Some(&(last, length)) = self.rows.last()
            && last != sequence
        {
            self.copy(row, self.rows.len() - 1, length)?;
            self.places.insert(last, row);
        }
        self.rows.swap_remove(row);
        if self.rows.is_empty() {
            self.tensors = None;
        }
        Ok(())
    }
}
