//! [`CudaDevice`]: its settings, its state between calls, and launches of kernels.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jig_plugin_api::{Error, Result};
use jig_transformer::DType;

use super::scratch::Scratch;
use crate::arguments::Arguments;
use crate::drawing::Drawing;
use crate::kernels::Kernel;
use crate::memory::Vector;
use crate::recordings::Recordings;
use crate::runtime::{Allocation, Launch, Runtime};
use crate::step::{Lists, StepData};

/// The rows of a tile of `prefill.cu`, which is also that of steps before there is a KV cache.
pub(super) const PLAIN_TILE_ROWS: u32 = 16;

/// The user's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The share of the device's memory that may be in use, with the KV cache.
    pub memory_share: f64,
    /// The type of keys and values in the cache; `None` for that of the weights.
    pub kv_type: Option<DType>,
    /// Whether steps that decode are recorded and replayed.
    pub record: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { memory_share: 0.9, kv_type: None, record: true }
    }
}

/// A GPU that computes a decoder.
pub struct CudaDevice {
    pub(super) settings: Settings,
    state: Mutex<State>,
    // The last field, because the others free their memory through it when they are dropped.
    pub(super) runtime: Arc<dyn Runtime>,
}

/// The mutable state, behind one lock.
pub(super) struct State {
    pub(super) step: StepData,
    pub(super) recordings: Recordings,
    pub(super) scratch: Scratch,
    pub(super) drawing: Drawing,
    /// The rows of a tile of the prefill kernel for the KV cache.
    pub(super) tile_rows: u32,
    pub(super) weight_bytes: u64,
    /// The type of the weights: that of the first matrix.
    pub(super) weight_type: Option<DType>,
}

impl CudaDevice {
    /// A device on a runtime.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(runtime: Arc<dyn Runtime>, settings: Settings) -> Result<Self> {
        let state = State {
            step: StepData::new(&runtime)?,
            recordings: Recordings::default(),
            scratch: Scratch::default(),
            drawing: Drawing::default(),
            tile_rows: PLAIN_TILE_ROWS,
            weight_bytes: 0,
            weight_type: None,
        };
        Ok(Self { settings, state: Mutex::new(state), runtime })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic leaves no state that the next step does not set again.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lists(&self) -> Lists {
        self.state().step.lists
    }

    /// Launches a kernel, unless the grid is empty.
    ///
    /// The arguments must be those of the kernel, and the caller has checked that the memory that they point to is
    /// large enough.
    pub(super) fn launch<A: Arguments>(
        &self,
        kernel: Kernel,
        grid: [usize; 3],
        shared: usize,
        arguments: &A,
    ) -> Result<()> {
        if grid.contains(&0) {
            return Ok(());
        }
        let size =
            |x: usize| u32::try_from(x).map_err(|_| Error::internal(format!("{} would be too large", kernel.name)));
        let launch = Launch {
            kernel,
            grid: [size(grid[0])?, size(grid[1])?, size(grid[2])?],
            shared: size(shared)?,
            arguments: std::ptr::from_ref(arguments).cast(),
            size: size_of::<A>(),
        };
        // SAFETY: the structure is the kernel's, and its addresses are those of allocations that the callers have checked.
        unsafe { self.runtime.launch(&launch) }
    }

    pub(super) fn kv_type(&self, state: &State) -> DType {
        self.settings.kv_type.or(state.weight_type).unwrap_or(DType::F32)
    }

    /// Scratch memory of at least `bytes` bytes. If it grows, recordings are forgotten, because they use the old
    /// address.
    pub(super) fn scratch(&self, memory: fn(&mut Scratch) -> &mut Option<Allocation>, bytes: usize) -> Result<u64> {
        let state = &mut *self.state();
        let memory = memory(&mut state.scratch);
        if bytes > memory.as_ref().map_or(0, Allocation::bytes) {
            state.recordings.forget(&*self.runtime);
            // The old memory is freed first: both may not fit.
            *memory = None;
            *memory = Some(Allocation::new(&self.runtime, bytes)?);
        }
        Ok(memory.as_ref().map_or(0, Allocation::address))
    }
}

pub(super) fn fits(fit: bool, operation: &str) -> Result<()> {
    if fit { Ok(()) } else { Err(Error::internal(format!("{operation}: shapes that do not fit"))) }
}

pub(super) fn address(vector: Option<&Vector>) -> u64 {
    vector.map_or(0, |vector| vector.0.address())
}
