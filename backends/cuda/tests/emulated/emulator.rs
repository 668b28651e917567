//! [`Emulator`]: a runtime whose kernels are those of `kernels/*.cu`, compiled by the C++ compiler of this machine.
//!
//! `emulator.h` gives CUDA's words their meaning; large products, which are cuBLASLt's on a GPU, are plain loops. Where there is no C++
//! compiler, tests say so and pass.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use half::{bf16, f16};
use jig_backend_cuda::kernels::{Kernel, SOURCES};
use jig_backend_cuda::runtime::{DeviceMemory, Launch, Product, Recording, Runtime};
use jig_plugin_api::{Error, Result};
use jig_transformer::DType;
use libloading::Library;
use memmap2::MmapMut;

/// An emulated kernel: grid, threads, shared memory, arguments and their size; gives what went wrong, or null.
type Entry = unsafe extern "C" fn(*const u32, u32, u32, *const c_void, usize) -> *const c_char;

/// The kernels of this machine's C++ compiler, or why there are none.
pub(crate) fn kernels() -> std::result::Result<&'static HashMap<&'static str, Entry>, &'static str> {
    static KERNELS: OnceLock<std::result::Result<HashMap<&'static str, Entry>, String>> = OnceLock::new();
    KERNELS.get_or_init(build_all).as_ref().map_err(String::as_str)
}

/// The C++ compiler of this machine, or why there is none.
pub(crate) fn compiler() -> std::result::Result<PathBuf, String> {
    let chosen = std::env::var_os("CXX").map(PathBuf::from);
    let known = ["c++", "g++", "clang++"].map(PathBuf::from);
    let works =
        |compiler: &PathBuf| Command::new(compiler).arg("--version").output().is_ok_and(|out| out.status.success());
    chosen.into_iter().chain(known).find(works).ok_or_else(|| "no C++ compiler (CXX, c++, g++, clang++)".to_owned())
}

fn build_all() -> std::result::Result<HashMap<&'static str, Entry>, String> {
    let compiler = compiler()?;
    let mut kernels = HashMap::new();
    for source in &SOURCES {
        let program = format!("{}\n{}", include_str!("emulator.h"), source.program());
        let file = build(&compiler, source.file, &program);
        // SAFETY: the library was just built; it has no initialisers but the C++ library's.
        let library = unsafe { Library::new(&file) }.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // Its kernels are called until the end.
        let library: &'static Library = Box::leak(Box::new(library));
        for Kernel { name, .. } in source.kernels() {
            // SAFETY: KERNEL of emulator.h defines it with this type.
            let entry = unsafe { library.get::<Entry>(name) };
            kernels.insert(name, *entry.unwrap_or_else(|error| panic!("{}: {error}", source.file)));
        }
    }
    Ok(kernels)
}

/// Compiles a program, unless that was done before.
pub(crate) fn build(compiler: &Path, name: &str, program: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (compiler, program).hash(&mut hasher);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join(format!("{name}-{:016x}.so", hasher.finish()));
    if file.is_file() {
        return file;
    }
    let beside = tempfile::tempdir_in(directory).expect("a directory");
    let (source, library) = (beside.path().join(format!("{name}.cpp")), beside.path().join("library.so"));
    fs::write(&source, program).expect("written");
    let out = Command::new(compiler)
        .args(["-std=c++17", "-O1", "-shared", "-fPIC", "-ffp-contract=off", "-Wall", "-Wno-unknown-pragmas"])
        .args(["-o".as_ref(), library.as_os_str(), source.as_os_str()])
        .output()
        .expect("a compiler");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.is_empty(), "{}: {said}", source.display());
    // Another test may have been faster; its file is the same.
    fs::rename(library, &file).expect("moved");
    file
}

/// Runs an emulated kernel.
pub(crate) fn run(entry: Entry, launch: &Launch, arguments: *const c_void) -> std::result::Result<(), String> {
    let Launch { kernel, grid, shared, size, .. } = launch;
    // SAFETY: the arguments are the kernel's, as the caller of `Runtime::launch` promises.
    let failure = unsafe { entry(grid.as_ptr(), kernel.threads, *shared, arguments, *size) };
    if failure.is_null() {
        return Ok(());
    }
    // SAFETY: what is not null is a text that ends with NUL and lives as long as the library.
    Err(unsafe { CStr::from_ptr(failure) }.to_string_lossy().into_owned())
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

/// Memory that ends where none may be read or written: a kernel that goes past its end ends the test, by a signal.
struct Guarded {
    bytes: usize,
    address: u64,
    /// Gives it back.
    _map: MmapMut,
}

impl Guarded {
    /// What the kernels' widest loads are aligned to.
    const ALIGNMENT: usize = 16;
    /// At least a page of any machine, and a multiple of all of them.
    const GUARD: usize = 64 << 10;

    fn new(bytes: usize) -> Self {
        let taken = bytes.next_multiple_of(Self::ALIGNMENT);
        let map = MmapMut::map_anon(taken.next_multiple_of(Self::GUARD) + 2 * Self::GUARD).expect("memory");
        let end = (map.as_ptr() as usize + taken).next_multiple_of(Self::GUARD);
        #[cfg(unix)]
        {
            unsafe extern "C" {
                fn mprotect(address: *mut std::ffi::c_void, length: usize, protection: i32) -> i32;
            }
            // SAFETY: the pages are the map's, and nothing of it lies behind `end`.
            let refused = unsafe { mprotect(end as *mut std::ffi::c_void, Self::GUARD, 0) };
            assert_eq!(refused, 0, "memory that can't be used");
        }
        Self { bytes, address: (end - taken) as u64, _map: map }
    }
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
        self.allocations.lock().unwrap().values().map(|guarded| guarded.bytes as u64).sum()
    }

    fn not_recording(&self, what: &str) -> Result<()> {
        let recording = self.recording.lock().unwrap().is_some();
        if recording { Err(Error::internal(format!("{what} while a recording is made"))) } else { Ok(()) }
    }

    fn do_it(operation: &Operation) -> Result<()> {
        match operation {
            Operation::Launch(kernel, grid, shared, arguments, size) => {
                let entry = kernels().expect("checked by the test")[kernel.name];
                let (arguments, size) = (arguments.as_ptr().cast(), *size);
                let launch = Launch { kernel: *kernel, grid: *grid, shared: *shared, arguments, size };
                run(entry, &launch, arguments).map_err(|problem| Error::internal(format!("{}: {problem}", kernel.name)))
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
    let read = |address: u64, index: usize| -> f32 {
        // SAFETY: the caller of `Runtime::product` promises the memory; addresses are aligned for their types.
        unsafe {
            match dtype {
                DType::F32 => *(address as *const f32).add(index),
                DType::F16 => f16::from_bits(*(address as *const u16).add(index)).to_f32(),
                DType::BF16 | DType::F8 | DType::I4 => bf16::from_bits(*(address as *const u16).add(index)).to_f32(),
            }
        }
    };
    for row in 0..rows {
        let x: Vec<_> = (0..inputs).map(|i| read(x, row * inputs + i)).collect();
        for output in 0..outputs {
            let sum: f32 = x.iter().enumerate().map(|(i, x)| x * read(weight, output * inputs + i)).sum();
            // SAFETY: as above.
            unsafe { *(out as *mut f32).add(row * out_stride + output) = sum };
        }
    }
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
        let guarded = Guarded::new(bytes);
        let address = guarded.address;
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
