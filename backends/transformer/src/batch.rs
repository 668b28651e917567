//! [`Batch`]: the rows of one step and where their keys and values go.

/// The slot of a row whose keys and values are not kept (padding).
pub const NO_SLOT: u32 = u32::MAX;

/// The rows (tokens) of a step, a ragged mix of prefill and decode. A batch is reused from step to step, so that
/// filling it allocates nothing once its vectors have grown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The token of each row.
    pub tokens: Vec<u32>,
    /// The position of each row in its sequence, from 0.
    pub positions: Vec<u32>,
    /// Where each row's keys and values go: page times page size plus offset, or [`NO_SLOT`].
    pub slots: Vec<u32>,
    /// The chunks: consecutive rows of one sequence.
    pub spans: Vec<Span>,
    /// The pages of all spans' sequences, one after the other.
    pub pages: Vec<u32>,
    /// The rows whose logits are wanted.
    pub logit_rows: Vec<u32>,
}

/// Consecutive rows of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first row.
    pub first_row: u32,
    /// The number of rows.
    pub rows: u32,
    /// The position of the first row.
    pub first_position: u32,
    /// Where the sequence's pages begin in [`Batch::pages`]; entry `i` has the positions from `i` times the page size on.
    pub first_page: u32,
    /// The number of pages: enough for the last row's position.
    pub pages: u32,
}

/// The sizes on which the operations of a step depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StepShape {
    /// Rows of the batch.
    pub rows: usize,
    /// Rows of logits.
    pub logit_rows: usize,
    /// Whether each sequence has one row and wants its logits.
    pub decode: bool,
}

impl Batch {
    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.tokens.len()
    }

    /// Empties it and keeps its allocations.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.slots.clear();
        self.spans.clear();
        self.pages.clear();
        self.logit_rows.clear();
    }

    /// The sizes on which the operations of this step depend.
    #[must_use]
    pub fn shape(&self) -> StepShape {
        let decode = self.spans.iter().all(|span| span.rows == 1) && self.logit_rows.len() == self.rows();
        StepShape { rows: self.rows(), logit_rows: self.logit_rows.len(), decode }
    }

    /// Adds padding rows up to `rows`, so that the step has one of the sizes for which a device has a recording. In a
    /// decode step each of them has a row of logits too.
    pub fn pad(&mut self, rows: usize) {
        let decode = self.shape().decode;
        for row in self.rows()..rows {
            self.tokens.push(0);
            self.positions.push(0);
            self.slots.push(NO_SLOT);
            if decode {
                self.logit_rows.push(row as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_a_decode_step_keeps_it_one() {
        let span = |row| Span { first_row: row, rows: 1, first_position: 4, first_page: row, pages: 1 };
        let mut batch = Batch {
            tokens: vec![5, 6, 7],
            positions: vec![4; 3],
            slots: vec![1, 2, 3],
            spans: (0..3).map(span).collect(),
            pages: vec![0; 3],
            logit_rows: vec![0, 1, 2],
        };
        assert_eq!(batch.shape(), StepShape { rows: 3, logit_rows: 3, decode: true });
        batch.pad(4);
        assert_eq!(batch.shape(), StepShape { rows: 4, logit_rows: 4, decode: true });
        assert_eq!(batch.slots[3], NO_SLOT);
    }
}
