//! The driver: [`calls`] has the exported functions, [`Gpu`] their state.
//!
//! Streams are queues of [`Operation`]s, which run when a call waits for them, not before.

mod calls;
mod operation;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cudarc::driver::sys::CUresult;
use libloading::Library;

pub(crate) use self::operation::{Handle, Operation};
use crate::early::{Beginner, Early};
use crate::kernel::Kernel;
use crate::memory::Guarded;

/// The error code of a failed call.
pub(crate) type Failure = CUresult;
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// The alignment of addresses.
const ALIGNMENT: usize = 256;
/// The bytes of new memory: as floats of any type, large negative numbers.
const GARBAGE: u8 = 0xfb;

/// The only GPU of this machine.
pub(crate) fn gpu() -> MutexGuard<'static, Gpu> {
    static GPU: OnceLock<Mutex<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| Mutex::new(Gpu::new())).lock().unwrap_or_else(PoisonError::into_inner)
}

/// A GPU with its driver.
pub(crate) struct Gpu {
    /// Bytes of memory.
    total: usize,
    handles: Handle,
    /// The reference count of the context.
    retained: usize,
    memory: BTreeMap<u64, Guarded>,
    pinned: BTreeMap<usize, Vec<u8>>,
    streams: HashMap<Handle, Stream>,
    events: HashMap<Handle, Event>,
    modules: HashMap<Handle, &'static Library>,
    functions: HashMap<Handle, (Handle, Kernel, String)>,
    graphs: HashMap<Handle, Arc<[Operation]>>,
    executables: HashMap<Handle, Arc<[Operation]>>,
    beginner: Beginner,
    /// The next launch, if its first block has begun.
    begun: Option<Early>,
    /// The error of every call after a kernel failed.
    failure: Option<Failure>,
    done: Done,
}

/// Counts since the context was made, for the summary.
#[derive(Debug, Default)]
struct Done {
    launches: usize,
    /// Launches that began before the previous one ran.
    early: usize,
    products: usize,
    graphs_made: usize,
    graphs_launched: usize,
    waits: usize,
}

/// Operations that are enqueued and have not run yet.
#[derive(Default)]
struct Stream {
    queue: VecDeque<Operation>,
    recording: Option<Recording>,
}

/// A graph that is being recorded.
#[derive(Default)]
struct Recording {
    operations: Vec<Operation>,
    /// A call was made that is not allowed during a recording.
    broken: bool,
}

/// How many times an event was enqueued and reached.
#[derive(Default)]
struct Event {
    enqueued: u64,
    reached: u64,
}

impl Gpu {
    fn new() -> Self {
        let mebibytes = std::env::var("JIG_EMULATED_GPU_MEMORY").ok().and_then(|value| value.parse().ok());
        Self {
            total: mebibytes.unwrap_or(512usize) << 20,
            handles: 0,
            retained: 0,
            memory: BTreeMap::new(),
            pinned: BTreeMap::new(),
            streams: HashMap::new(),
            events: HashMap::new(),
            modules: HashMap::new(),
            functions: HashMap::new(),
            graphs: HashMap::new(),
            executables: HashMap::new(),
            beginner: Beginner::new(),
            begun: None,
            failure: None,
            done: Done::default(),
        }
    }

    fn handle(&mut self) -> Handle {
        // Handles look like addresses: a small integer is never one.
        self.handles += 1;
        self.handles << 12
    }

    fn used(&self) -> usize {
        self.memory.values().map(Guarded::bytes).sum()
    }

    fn stream(&mut self, handle: Handle) -> Result<&mut Stream> {
        self.streams.get_mut(&handle).ok_or(Failure::CUDA_ERROR_INVALID_HANDLE)
    }

    /// Adds an operation to a stream, or to its recording.
    pub(crate) fn enqueue(&mut self, stream: Handle, operation: Operation) -> Result<()> {
        for (range, what) in operation.memory() {
            self.check_memory(range, what)?;
        }
        let stream = self.stream(stream)?;
        match &mut stream.recording {
            Some(recording) => recording.operations.push(operation),
            None => stream.queue.push_back(operation),
        }
        Ok(())
    }

    /// Refuses a range that is not within one allocation.
    pub(crate) fn check_memory(&self, range: Range<u64>, what: &str) -> Result<()> {
        let before = self.memory.range(..=range.start).next_back();
        let inside = before.is_some_and(|(address, memory)| range.end <= address + memory.bytes() as u64);
        if inside { Ok(()) } else { Err(refuse(&format!("{what}: {range:#x?} is no memory of the GPU"))) }
    }

    /// Whether host memory is page-locked.
    fn is_pinned(&self, from: usize, bytes: usize) -> bool {
        let before = self.pinned.range(..=from).next_back();
        before.is_some_and(|(begin, memory)| from + bytes <= begin + memory.len())
    }

    /// Refuses a call that is not allowed while a stream is recorded, and invalidates the recording.
    fn not_recorded(&mut self, stream: Handle) -> Result<()> {
        match &mut self.stream(stream)?.recording {
            None => Ok(()),
            Some(recording) => {
                recording.broken = true;
                Err(Failure::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)
            }
        }
    }

    /// Runs a stream's operations until an event has been reached that many times, or all of them.
    fn run(&mut self, stream: Handle, until: Option<(Handle, u64)>) -> Result<()> {
        self.done.waits += 1;
        let reached = |gpu: &Self| {
            until.is_some_and(|(event, times)| gpu.events.get(&event).is_none_or(|event| event.reached >= times))
        };
        while !reached(self) {
            let queue = &mut self.stream(stream)?.queue;
            let Some(operation) = queue.pop_front() else { break };
            let next = queue.front().cloned();
            self.run_one(&operation, next.as_ref())?;
        }
        Ok(())
    }

    fn run_all(&mut self) -> Result<()> {
        let streams: Vec<_> = self.streams.keys().copied().collect();
        streams.into_iter().try_for_each(|stream| self.run(stream, None))
    }

    /// Runs an operation; `next` may begin before it.
    fn run_one(&mut self, operation: &Operation, next: Option<&Operation>) -> Result<()> {
        match operation {
            Operation::Event(handle) => {
                if let Some(event) = self.events.get_mut(handle) {
                    event.reached += 1;
                }
                return Ok(());
            }
            Operation::Graph(operations) => {
                let mut pairs = operations.iter().enumerate();
                return pairs.try_for_each(|(index, one)| self.run_one(one, operations.get(index + 1)));
            }
            Operation::Launch { name, kernel, grid, arguments, .. } => {
                self.done.launches += 1;
                let begun = self.begun.take();
                if let Some(Operation::Launch { kernel, grid, arguments, early: true, .. }) = next {
                    // SAFETY: as below.
                    self.begun = unsafe { self.beginner.begin(*kernel, *grid, arguments.clone()) };
                    self.done.early += usize::from(self.begun.is_some());
                }
                if let Some(begun) = begun {
                    // SAFETY: as below; whatever has begun is the next operation.
                    let finished = unsafe { begun.finish(*kernel, *grid, arguments) };
                    return finished.map_err(|problem| self.fail(&format!("{name}: {problem}")));
                }
            }
            Operation::Product(_) => self.done.products += 1,
            Operation::Fill { .. } | Operation::ToDevice { .. } | Operation::ToHost { .. } => (),
        }
        // SAFETY: memory was checked when it was enqueued, and everything runs before any is freed; kernels' ends are guarded.
        unsafe { operation.run() }.map_err(|problem| self.fail(&problem))
    }

    /// Sets the error of every later call.
    fn fail(&mut self, problem: &str) -> Failure {
        eprintln!("emulated GPU: {problem}");
        self.failure = Some(Failure::CUDA_ERROR_LAUNCH_FAILED);
        Failure::CUDA_ERROR_LAUNCH_FAILED
    }

    /// The line that is printed when the context is released.
    fn summary(&self) -> String {
        let Done { launches, early, products, graphs_made, graphs_launched, waits } = &self.done;
        let left = self.memory.len()
            + self.pinned.len()
            + self.streams.len()
            + self.events.len()
            + self.modules.len()
            + self.graphs.len()
            + self.executables.len();
        format!(
            "emulated GPU: {launches} launches, {early} begun early, {products} products, {graphs_made} graphs made, {graphs_launched} graphs launched, \
             {waits} waits, {left} things left behind"
        )
    }
}

/// Prints what is wrong with a call, and returns `CUDA_ERROR_INVALID_VALUE`.
pub(crate) fn refuse(problem: &str) -> Failure {
    eprintln!("emulated GPU: refused: {problem}");
    Failure::CUDA_ERROR_INVALID_VALUE
}
