//! [`Emulator`]: a runtime whose kernels are those of `kernels/*.cu`, compiled by the C++ compiler of this machine.
//!
//! Large products, which are cuBLASLt's on a GPU, are plain loops. Where there is no C++ compiler, tests say so and pass.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use jig_backend_cuda::kernels::{Kernel, SOURCES};
use jig_backend_cuda::runtime::{DeviceMemory, Launch, Product, Recording, Runtime};
use jig_cuda_emulator::compiler;
use jig_cuda_emulator::kernel::{self, Grid};
use jig_cuda_emulator::memory::Guarded;
use jig_cuda_emulator::product::{self, Element};
use jig_plugin_api::{Error, Result};
use jig_transformer::DType;

/// Where compiled kernels are kept.
pub(crate) const DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");

type Kernels = HashMap<&'static str, kernel::Kernel>;

/// The kernels of this machine's C++ compiler, or why there are none.
pub(crate) fn kernels() -> std::result::Result<&'static Kernels, &'static str> {
    static KERNELS: OnceLock<std::result::Result<Kernels, String>> = OnceLock::new();
    KERNELS.get_or_init(build_all).as_ref().map_err(String::as_str)
}

fn build_all() -> std::result::Result<Kernels, String> {
    let compiler = compiler::find()?;
    let mut kernels = HashMap::new();
    for source in &SOURCES {
        let file = compiler::build(Path::new(DIRECTORY), &compiler, source.file, &source.program());
        let library = file.and_then(|file| kernel::open(&file)).unwrap_or_else(|problem| panic!("{problem}"));
        for Kernel { name, .. } in source.kernels() {
            let kernel = kernel::Kernel::find(library, name);
            kernels.insert(name, kernel.unwrap_or_else(|| panic!("{} has no {name}", source.file)));
        }
    }
    Ok(kernels)
}

/// See the [module](self).
pub(crate) struct Emulator {
    total: u64,
    allocations: Mutex<HashMap<u64, Guarded>>,
    recording: Mutex<Option<Vec<Operation>>>,
    recorded: Mutex<Vec<Vec<Operation>>>,
    replays: Mutex<usize>,
    reads: Mutex<usize>,
}

#[derive(Clone)]
enum Operation {
    /// With a copy of the arguments.
    Launch(Kernel, [u32; 3], u32, Vec<u64>, usize),
    Product(Product),
}

impl Emulator {
    /// A device with so much memory.
    pub(crate) fn new(total: u64) -> Arc<Self> {
        Arc::new(Self {
            total,
            allocations: Mutex::default(),
            recording: Mutex::default(),
            recorded: Mutex::default(),
            replays: Mutex::default(),
            reads: Mutex::default(),
        })
    }

    /// How many recordings were replayed.
    pub(crate) fn replays(&self) -> usize {
        *self.replays.lock().unwrap()
    }

    /// How many times something was read.
    pub(crate) fn reads(&self) -> usize {
        *self.reads.lock().unwrap()
    }

    /// Bytes that are allocated.
    pub(crate) fn used(&self) -> u64 {
        self.allocations.lock().unwrap().values().map(|guarded| guarded.bytes() as u64).sum()
    }

    fn not_recording(&self, what: &str) -> Result<()> {
        let recording = self.recording.lock().unwrap().is_some();
        if recording { Err(Error::internal(format!("{what} while a recording is made"))) } else { Ok(()) }
    }

    fn do_it(operation: &Operation) -> Result<()> {
        match operation {
            Operation::Launch(kernel, grid, shared, arguments, size) => {
                let compiled = kernels().expect("checked by the test")[kernel.name];
                let grid = Grid { blocks: *grid, threads: kernel.threads, shared: *shared };
                // SAFETY: the arguments are the kernel's, as the caller of `Runtime::launch` promises.
                let ran = unsafe { compiled.run(grid, arguments.as_ptr().cast(), *size) };
                ran.map_err(|problem| Error::internal(format!("{}: {problem}", kernel.name)))
            }
            Operation::Product(product) => {
                multiply(product);
                Ok(())
            }
        }
    }

    fn enqueue(&self, operation: Operation) -> Result<()> {
        if let Some(recording) = &mut *self.recording.lock().unwrap() {
            recording.push(operation);
            return Ok(());
        }
        Self::do_it(&operation)
    }
}

fn multiply(product: &Product) {
    let Product { dtype, rows, outputs, inputs, out_stride, x, weight, out } = *product;
    let element = match dtype {
        DType::F32 => Element::F32,
        DType::F16 => Element::F16,
        DType::BF16 | DType::F8 | DType::I4 => Element::Bf16,
    };
    let product = product::Product { element, rows, outputs, inputs, out_stride, x, weight, out };
    // SAFETY: the caller of `Runtime::product` promises the memory.
    unsafe { product.compute() };
}

impl Runtime for Emulator {
    fn id(&self) -> String {
        "emulated".to_owned()
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        self.not_recording("memory is allocated")?;
        if self.used() + bytes as u64 > self.total {
            return Err(Error::out_of_memory(format!("{bytes} bytes")));
        }
        let guarded = Guarded::new(bytes).expect("memory");
        let address = guarded.address();
        self.allocations.lock().unwrap().insert(address, guarded);
        Ok(address)
    }

    unsafe fn free(&self, address: u64) {
        self.allocations.lock().unwrap().remove(&address).expect("memory that was allocated");
    }

    fn memory(&self) -> Result<DeviceMemory> {
        Ok(DeviceMemory { free: self.total - self.used(), total: self.total })
    }

    unsafe fn write(&self, to: u64, bytes: &[u8]) -> Result<()> {
        self.not_recording("memory is written")?;
        // SAFETY: the caller promises the room.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to as *mut u8, bytes.len()) };
        Ok(())
    }

    unsafe fn read(&self, from: u64, bytes: &mut [u8]) -> Result<()> {
        self.not_recording("memory is read")?;
        *self.reads.lock().unwrap() += 1;
        // SAFETY: the caller promises the bytes.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn launch(&self, launch: &Launch) -> Result<()> {
        let mut arguments = vec![0u64; launch.size.div_ceil(8)];
        // SAFETY: there are as many bytes of arguments, and as much room.
        unsafe {
            std::ptr::copy_nonoverlapping(launch.arguments.cast(), arguments.as_mut_ptr().cast::<u8>(), launch.size)
        };
        self.enqueue(Operation::Launch(launch.kernel, launch.grid, launch.shared, arguments, launch.size))
    }

    unsafe fn product(&self, product: &Product) -> Result<()> {
        self.enqueue(Operation::Product(*product))
    }

    fn begin_recording(&self) -> Result<()> {
        self.not_recording("a recording is begun")?;
        *self.recording.lock().unwrap() = Some(Vec::new());
        Ok(())
    }

    fn end_recording(&self) -> Result<Recording> {
        let operations = self.recording.lock().unwrap().take().expect("a recording was begun");
        let mut recorded = self.recorded.lock().unwrap();
        recorded.push(operations);
        Ok(Recording(recorded.len() - 1))
    }

    unsafe fn replay(&self, recording: Recording) -> Result<()> {
        *self.replays.lock().unwrap() += 1;
        let operations = self.recorded.lock().unwrap().get(recording.0).cloned();
        operations.expect("a recording that was not forgotten").iter().try_for_each(Self::do_it)
    }

    fn forget_recordings(&self) {
        self.recorded.lock().unwrap().clear();
    }

    fn synchronize(&self) -> Result<()> {
        self.not_recording("waiting")
    }
}
