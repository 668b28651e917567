//! The cache of graphs whose present is a new tensor: the past with the new slots appended.
//!
//! Sequences that ran together form a group: the rows of one tensor, which the next run takes unchanged. The last
//! tokens of all rows are in the last slot; shorter rows have unused slots before their first token. A run writes to a
//! second block of memory, and the two are swapped. Both have spare capacity, and grow by doubling.

use std::collections::HashMap;

use jig_plugin_api::{Error, Result, SequenceId};

use super::{Bound, Cache, Row, Shape, Tensors};
use crate::memory::Place;

/// The least capacity of a group, in slots.
const LEAST_SLOTS: usize = 64;

/// See the module.
pub(crate) struct Growing {
    place: Place,
    shape: Shape,
    groups: HashMap<u64, Group>,
    /// The group and the row of each sequence that has tokens.
    places: HashMap<SequenceId, (u64, usize)>,
    next_group: u64,
    /// The group of the prepared run, its sequences, and the number of tokens that each of them gets.
    prepared: Option<(u64, Vec<SequenceId>, usize)>,
}

/// Sequences in the rows of one tensor.
struct Group {
    /// Tokens of each row; `None` if its sequence is gone.
    rows: Vec<Option<usize>>,
    /// Slots that are in use.
    slots: usize,
    past: Tensors,
    /// The block that the next run writes.
    spare: Option<Tensors>,
}

impl Group {
    fn row(&self, row: usize, length: usize) -> Row {
        Row { row, stride: self.slots, first: self.slots - length }
    }
}

impl Growing {
    pub(crate) fn new(place: Place, shape: Shape) -> Self {
        Self { place, shape, groups: HashMap::new(), places: HashMap::new(), next_group: 0, prepared: None }
    }

    /// The group with exactly these sequences as rows.
    fn group_of(&self, sequences: &[SequenceId]) -> Option<u64> {
        let (id, _) = self.places.get(sequences.first()?)?;
        let all_here = sequences.iter().all(|sequence| self.places.get(sequence).is_some_and(|(group, _)| group == id));
        (all_here && self.groups.get(id)?.rows.len() == sequences.len()).then_some(*id)
    }

    /// Copies the first tokens of sequences into a new group; they don't belong to it yet.
    fn gather(&self, members: &[(SequenceId, usize)], room: usize) -> Result<Group> {
        let slots = members.iter().map(|(_, length)| *length).max().unwrap_or(0);
        let capacity = (slots + room).next_power_of_two().max(LEAST_SLOTS);
        let rows = members.iter().map(|(_, length)| Some(*length)).collect();
        let past = Tensors::new(&self.place, &self.shape, members.len(), capacity)?;
        let mut group = Group { rows, slots, past, spare: None };
        for (row, (sequence, length)) in members.iter().enumerate() {
            let Some((from, source_row)) = self.places.get(sequence) else { continue };
            let source = self.groups.get(from).ok_or_else(lost)?;
            let held = source.rows.get(*source_row).copied().flatten().ok_or_else(lost)?;
            let to = group.row(row, *length);
            group.past.copy(&self.shape, to, &source.past, source.row(*source_row, held), *length)?;
        }
        Ok(group)
    }

    fn insert(&mut self, group: Group, members: &[SequenceId]) -> u64 {
        let id = self.next_group;
        self.next_group += 1;
        for (row, sequence) in members.iter().enumerate() {
            self.leave(*sequence);
            self.places.insert(*sequence, (id, row));
        }
        self.groups.insert(id, group);
        id
    }

    /// Removes a sequence from its group, and the group with its last sequence.
    fn leave(&mut self, sequence: SequenceId) {
        let Some((id, row)) = self.places.remove(&sequence) else { return };
        if let Some(group) = self.groups.get_mut(&id) {
            if let Some(row) = group.rows.get_mut(row) {
                *row = None;
            }
            if group.rows.iter().all(Option::is_none) {
                self.groups.remove(&id);
            }
        }
    }
}

fn lost() -> Error {
    Error::internal("a sequence of the KV cache has no place")
}

impl Cache for Growing {
    fn length(&self, sequence: SequenceId) -> usize {
        let place = self.places.get(&sequence);
        place.and_then(|(group, row)| self.groups.get(group)?.rows.get(*row).copied().flatten()).unwrap_or(0)
    }

    fn prepare(&mut self, sequences: &[SequenceId], tokens: usize) -> Result<Bound> {
        let id = match self.group_of(sequences) {
            Some(id) => id,
            None => {
                let members: Vec<_> = sequences.iter().map(|sequence| (*sequence, self.length(*sequence))).collect();
                let group = self.gather(&members, tokens)?;
                self.insert(group, sequences)
            }
        };
        let mut order = vec![0; sequences.len()];
        for (index, sequence) in sequences.iter().enumerate() {
            let row = self.places.get(sequence).and_then(|(_, row)| order.get_mut(*row));
            *row.ok_or_else(lost)? = index;
        }
        let group = self.groups.get_mut(&id).ok_or_else(lost)?;
        let lengths: Vec<usize> = group.rows.iter().map(|row| row.unwrap_or(0)).collect();
        let present_slots = group.slots + tokens;
        let spare = match group.spare.take().filter(|spare| spare.slots >= present_slots) {
            Some(spare) => group.spare.insert(spare),
            None => {
                let capacity = present_slots.next_power_of_two().max(group.past.slots);
                group.spare.insert(Tensors::new(&self.place, &self.shape, lengths.len(), capacity)?)
            }
        };
        self.prepared = Some((id, sequences.to_vec(), tokens));
        Ok(Bound {
            order,
            seen: lengths.iter().map(|length| group.slots - length..present_slots).collect(),
            past_slots: group.slots,
            present_slots,
            mask_slots: present_slots,
            present: spare.pointers(&self.shape, 0, present_slots),
            past: group.past.pointers(&self.shape, 0, group.slots),
            lengths,
        })
    }

    fn commit(&mut self) {
        let Some((id, _, tokens)) = self.prepared.take() else { return };
        if let Some(group) = self.groups.get_mut(&id)
            && let Some(spare) = &mut group.spare
        {
            std::mem::swap(&mut group.past, spare);
            group.slots += tokens;
            group.rows.iter_mut().flatten().for_each(|length| *length += tokens);
        }
    }

    fn fork(&mut self, parent: SequenceId, child: SequenceId, length: usize) -> Result<()> {
        if length > 0 {
            let group = self.gather(&[(parent, length)], 1)?;
            self.insert(group, &[child]);
        }
        Ok(())
    }

    fn truncate(&mut self, sequence: SequenceId, length: usize) -> Result<()> {
        if length == 0 {
            self.leave(sequence);
        } else if length < self.length(sequence) {
            let group = self.gather(&[(sequence, length)], 1)?;
            self.insert(group, &[sequence]);
        }
        Ok(())
    }

    fn close(&mut self, sequence: SequenceId) -> Result<()> {
        self.leave(sequence);
        Ok(())
    }
}
