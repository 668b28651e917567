//! Strings, numbers and literals, read byte by byte for each of the schemas that are pending.
//!
//! Nothing closes a number: in `[1` a digit may follow, or the `]` that ends both. So a byte that no reader takes is tried once more as the
//! first one after the value.

use crate::collections::byte_set::range_along;
use crate::collections::few::Few;
use crate::json::language::strings::Decoder;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{At, Choice, JsonState, Level, Reader, Scalar};
use crate::json::shape::{Schema, SchemaId};
use std::sync::Arc;

impl JsonMachine {
    /// One more byte of a scalar, or the first one after it.
    pub(super) fn step_scalar(
        &self,
        state: &JsonState,
        pending: &Few<Choice>,
        machines: &Few<Scalar>,
        byte: u8,
    ) -> Option<JsonState> {
        let next = machines.filter_map(|scalar| {
            let reader = self.step_reader(self.schema(scalar.schema), &scalar.reader, byte)?;
            Some(Scalar { reader, schema: scalar.schema })
        });
        match next {
            Some(machines) => {
                let at = At::Scalar { pending: pending.clone(), machines };
                self.settled(JsonState { level: state.level.clone(), at })
            }
            // Only a number can be complete here: nothing but the next byte tells that it has ended.
            None if !machines.iter().any(|scalar| self.finished(scalar).0) => None,
            None => {
                let distinct = state.level.distinct.as_ref().map(|distinct| Arc::new(distinct.without_last()));
                let level = Level { distinct, ..state.level.clone() };
                self.step_recorded(&self.scalar_done(&level, pending, machines)?, byte)
            }
        }
    }

    /// The reader after one more byte of its scalar.
    pub(super) fn step_reader(&self, schema: &Schema, reader: &Reader, byte: u8) -> Option<Reader> {
        match *reader {
            Reader::Literal { low, high, depth } => {
                let range = &schema.literals[low as usize..high as usize];
                let along = range_along(range, |literal| literal.get(depth as usize).copied(), byte);
                let (from, to) = (low + along.start as u32, low + along.end as u32);
                (from < to).then_some(Reader::Literal { low: from, high: to, depth: depth + 1 })
            }
            Reader::Number { state } => {
                let state = schema.numbers.as_ref()?.next(state, byte)?;
                Some(Reader::Number { state })
            }
            Reader::String { index, ref state } => {
                let state = schema.strings[index as usize].step(state, byte)?;
                Some(Reader::String { index, state })
            }
        }
    }

    /// Whether the scalar is complete, and whether it can go on.
    pub(crate) fn finished(&self, scalar: &Scalar) -> (bool, bool) {
        let schema = self.schema(scalar.schema);
        match scalar.reader {
            Reader::Literal { low, high, depth } => {
                let complete = schema.literals[low as usize].len() as u32 == depth;
                (complete, !complete || high - low > 1)
            }
            Reader::Number { state } => {
                (schema.numbers.as_ref().is_some_and(|numbers| numbers.accepts_at(state)), true)
            }
            Reader::String { ref state, .. } => {
                let closed = state.decoder == Decoder::Closed;
                (closed, !closed)
            }
        }
    }

    /// Ends a scalar that can go on in no alternative, such as `true` or a string at its quote; `None` if the container refuses it.
    pub(super) fn settled(&self, state: JsonState) -> Option<JsonState> {
        let At::Scalar { pending, machines } = &state.at else { return Some(state) };
        if machines.iter().any(|scalar| self.finished(scalar).1) {
            return Some(state);
        }
        self.scalar_done(&state.level, pending, machines)
    }

    /// The state after a scalar that ends here.
    pub(crate) fn scalar_done(
        &self,
        level: &Level,
        pending: &Few<Choice>,
        machines: &Few<Scalar>,
    ) -> Option<JsonState> {
        let complete = machines.iter().filter(|scalar| self.finished(scalar).0);
        let accepted: Vec<SchemaId> = complete.map(|scalar| scalar.schema).collect();
        self.value_done(level, pending, &accepted)
    }
}
