//! The driver: [`calls`] are what a program sees of it, [`Gpu`] is what they change.

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

/// What a call of the driver gives where it fails.
pub(crate) type Failure = CUresult;
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// What addresses are multiples of.
const ALIGNMENT: usize = 256;
/// What new memory is full of: as floats of any type, large negative numbers.
const GARBAGE: u8 = 0xfb;

/// The one GPU of this machine.
pub(crate) fn gpu() -> MutexGuard<'static, Gpu> {
    static GPU: OnceLock<Mutex<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| Mutex::new(Gpu::new())).lock().unwrap_or_else(PoisonError::into_inner)
}

/// A GPU with its driver.
pub(crate) struct Gpu {
    /// Bytes of memory.
    total: usize,
    handles: Handle,
    /// How often the context is retained.
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
    /// The launch that comes next, where its first block has begun.
    begun: Option<Early>,
    /// What every call gives since a kernel failed.
    failure: Option<Failure>,
    done: Done,
}

/// What was done since the context was made.
#[derive(Debug, Default)]
struct Done {
    launches: usize,
    /// Launches that began before the one before them ran.
    early: usize,
    products: usize,
    graphs_made: usize,
    graphs_launched: usize,
    waits: usize,
}

/// What was enqueued and has not run yet.
#[derive(Default)]
struct Stream {
    queue: VecDeque<Operation>,
    recording: Option<Recording>,
}

/// A graph that is being recorded.
#[derive(Default)]
struct Recording {
    operations: Vec<Operation>,
    /// Something was called that may not be called meanwhile.
    broken: bool,
}

/// How often an event was enqueued, and how often it was reached.
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
        // Like an address, so that small numbers are none.
        self.handles += 1;
        self.handles << 12
    }

    fn used(&self) -> usize {
        self.memory.values().map(Guarded::bytes).sum()
    }

    fn stream(&mut self, handle: Handle) -> Result<&mut Stream> {
        self.streams.get_mut(&handle).ok_or(Failure::CUDA_ERROR_INVALID_HANDLE)
    }

    /// Adds to a stream, or to what is recorded of it.
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

    /// Refuses what goes past an allocation.
    pub(crate) fn check_memory(&self, range: Range<u64>, what: &str) -> Result<()> {
        let before = self.memory.range(..=range.start).next_back();
        let inside = before.is_some_and(|(address, memory)| range.end <= address + memory.bytes() as u64);
        if inside { Ok(()) } else { Err(refuse(&format!("{what}: {range:#x?} is no memory of the GPU"))) }
    }

    /// Bytes of the host that stay where they are until they are freed.
    fn is_pinned(&self, from: usize, bytes: usize) -> bool {
        let before = self.pinned.range(..=from).next_back();
        before.is_some_and(|(begin, memory)| from + bytes <= begin + memory.len())
    }

    /// Refuses what may not be done while a stream is recorded, which ends the recording.
    fn not_recorded(&mut self, stream: Handle) -> Result<()> {
        match &mut self.stream(stream)?.recording {
            None => Ok(()),
            Some(recording) => {
                recording.broken = true;
                Err(Failure::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)
            }
        }
    }

    /// Runs what a stream has, until an event was reached so often, or to its end.
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

    /// Runs an operation; the next one may begin before.
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

    /// What every call gives from now on.
    fn fail(&mut self, problem: &str) -> Failure {
        eprintln!("emulated GPU: {problem}");
        self.failure = Some(Failure::CUDA_ERROR_LAUNCH_FAILED);
        Failure::CUDA_ERROR_LAUNCH_FAILED
    }

    /// What is told when the context is given back.
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

/// Says on standard error what is wrong with a call, which gives `CUDA_ERROR_INVALID_VALUE`.
pub(crate) fn refuse(problem: &str) -> Failure {
    eprintln!("emulated GPU: refused: {problem}");
    Failure::CUDA_ERROR_INVALID_VALUE
}
