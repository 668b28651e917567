//! [`Operation`]: an entry of a stream's queue.

use std::ops::Range;
use std::sync::Arc;

use crate::kernel::{Grid, Kernel};
use crate::product::Product;

/// A handle of a stream, an event or another object of the driver; never used twice.
pub(crate) type Handle = usize;

/// An operation of a stream.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Fill {
        to: u64,
        value: u8,
        bytes: usize,
    },
    ToDevice {
        to: u64,
        from: Source,
    },
    /// To pinned memory.
    ToHost {
        from: u64,
        to: usize,
        bytes: usize,
    },
    Launch {
        name: String,
        kernel: Kernel,
        grid: Grid,
        /// A copy of its argument structure.
        arguments: Vec<u64>,
        /// Whether it may begin before the previous kernel has ended.
        early: bool,
    },
    Product(Product),
    /// Counts the event as reached once more.
    Event(Handle),
    Graph(Arc<[Self]>),
}

/// Bytes of the host.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Pinned memory, which is read when the copy runs.
    Pinned(usize, usize),
    /// Pageable memory, which was read at the call.
    Copied(Vec<u8>),
}

impl Source {
    fn bytes(&self) -> usize {
        match self {
            Self::Pinned(_, bytes) => *bytes,
            Self::Copied(bytes) => bytes.len(),
        }
    }
}

impl Operation {
    /// The GPU memory that it is known to use, with names for errors.
    pub(super) fn memory(&self) -> Vec<(Range<u64>, &'static str)> {
        let range = |from: u64, bytes: usize| from..from + bytes as u64;
        match self {
            Self::Fill { to, bytes, .. } => vec![(range(*to, *bytes), "filling")],
            Self::ToDevice { to, from } => vec![(range(*to, from.bytes()), "a copy to the GPU")],
            Self::ToHost { from, bytes, .. } => vec![(range(*from, *bytes), "a copy from the GPU")],
            Self::Product(product) => {
                let Product { element, rows, outputs, inputs, out_stride, x, weight, out } = *product;
                let written = ((rows - 1) * out_stride + outputs) * size_of::<f32>();
                vec![
                    (range(x, rows * inputs * element.bytes()), "the second matrix of a product"),
                    (range(weight, outputs * inputs * element.bytes()), "the first matrix of a product"),
                    (range(out, written), "the result of a product"),
                ]
            }
            Self::Launch { .. } | Self::Event(_) | Self::Graph(_) => Vec::new(),
        }
    }

    /// Runs an operation that needs only memory.
    ///
    /// # Safety
    /// All memory that it names is there.
    ///
    /// # Errors
    /// What went wrong in a kernel.
    pub(super) unsafe fn run(&self) -> Result<(), String> {
        // SAFETY: the caller promises the memory; pinned memory outlives what is enqueued.
        unsafe {
            match self {
                Self::Fill { to, value, bytes } => std::ptr::write_bytes(*to as *mut u8, *value, *bytes),
                Self::ToDevice { to, from } => {
                    let begin = match from {
                        Source::Pinned(begin, _) => *begin as *const u8,
                        Source::Copied(bytes) => bytes.as_ptr(),
                    };
                    std::ptr::copy_nonoverlapping(begin, *to as *mut u8, from.bytes());
                }
                Self::ToHost { from, to, bytes } => {
                    std::ptr::copy_nonoverlapping(*from as *const u8, *to as *mut u8, *bytes);
                }
                Self::Launch { name, kernel, grid, arguments, .. } => {
                    let ran = kernel.run(*grid, arguments.as_ptr().cast(), kernel.size());
                    return ran.map_err(|problem| format!("{name}: {problem}"));
                }
                Self::Product(product) => product.compute(),
                Self::Event(_) | Self::Graph(_) => return Err("it runs in parts".to_owned()),
            }
        }
        Ok(())
    }
}
