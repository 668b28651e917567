//! [`Gpu`]: the [`Runtime`] on NVIDIA's driver: memory, launches and CUDA graphs on one stream.
//!
//! `staging` copies through pinned memory, `products` multiplies large matrices by cuBLASLt, `launch` enqueues kernels,
//! and `failure` turns failures of the driver into errors.

mod failure;
mod launch;
mod products;
mod staging;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use cudarc::driver::result::{self, DriverError, ctx, device, graph, module, primary_ctx, stream};
use cudarc::driver::sys::{
    CUcontext, CUdevice, CUfunction, CUgraphExec, CUgraphInstantiate_flags, CUmodule, CUstream, CUstreamCaptureMode,
};
use jig_plugin_api::{Error, Result};

use self::failure::failed;
use self::products::Products;
use self::staging::Staging;
use crate::compile::{Cache, Capability, compile};
use crate::kernels::SOURCES;
use crate::libraries::Libraries;
use crate::runtime::{DeviceMemory, Launch, Product, Recording, Runtime};

/// A GPU with the kernels loaded.
pub(crate) struct Gpu {
    id: String,
    staging: Mutex<Staging>,
    products: Mutex<Products>,
    graphs: Mutex<Vec<CUgraphExec>>,
    functions: HashMap<&'static str, CUfunction>,
    /// Whether a kernel may begin before the previous one ends.
    overlap: bool,
    // The last field, so that it is dropped after all that lives in the context.
    context: Context,
}

// SAFETY: the handles are the driver's, which may be used from any thread once the context is current there, as every method sees
// to; what is changed is behind locks.
unsafe impl Send for Gpu {}
// SAFETY: as above.
unsafe impl Sync for Gpu {}

/// The device's primary context, its stream, and the modules in it.
struct Context {
    device: CUdevice,
    context: CUcontext,
    stream: CUstream,
    modules: Vec<CUmodule>,
}

impl Context {
    fn new(ordinal: usize) -> Result<Self> {
        let opened = |error| failed("opening the GPU", error);
        let device = device::get(i32::try_from(ordinal).unwrap_or(i32::MAX)).map_err(opened)?;
        // SAFETY: the device is one of the driver.
        let context = unsafe { primary_ctx::retain(device) }.map_err(opened)?;
        let mut this = Self { device, context, stream: std::ptr::null_mut(), modules: Vec::new() };
        this.enter()?;
        this.stream = stream::create(stream::StreamKind::NonBlocking).map_err(opened)?;
        Ok(this)
    }

    /// Makes the context current in this thread.
    fn enter(&self) -> Result<()> {
        // SAFETY: the context is retained until this is dropped.
        unsafe { ctx::set_current(self.context) }.map_err(|error| failed("entering the GPU's context", error))
    }

    fn synchronize(&self) -> Result<()> {
        self.enter()?;
        // SAFETY: the stream exists until this is dropped.
        unsafe { stream::synchronize(self.stream) }.map_err(|error| failed("waiting for the GPU", error))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // A failure here can't be reported, and the context goes away anyway.
        let _ = self.synchronize();
        // SAFETY: all of these were made by this context, are given back once, and nobody uses them any more.
        unsafe {
            for module in self.modules.drain(..) {
                let _ = module::unload(module);
            }
            if !self.stream.is_null() {
                let _ = stream::destroy(self.stream);
            }
            let _ = primary_ctx::release(self.device);
        }
    }
}

impl Gpu {
    /// Opens a GPU and loads the kernels from the cache or the compiler. Compiling takes seconds, so `tell` reports it.
    /// Kernels overlap if `overlap` asks for it and the GPU can.
    pub(crate) fn open(
        id: String,
        ordinal: usize,
        capability: Capability,
        libraries: Libraries,
        cache: &Cache,
        overlap: bool,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Self> {
        let overlap = overlap && launch::can_overlap(capability, libraries.driver);
        let compiler = libraries.nvrtc.to_string();
        let told = Once::new();
        let begun = || {
            told.call_once(|| {
                let kept = cache.directory().map_or_else(
                    || "at every start, since none are kept".to_owned(),
                    |directory| format!("once; they are kept in {}", directory.display()),
                );
                tell(&format!(
                    "{id}: NVRTC {compiler} compiles the kernels for compute capability {capability} ({kept})"
                ));
            });
        };
        let machine_code = thread::scope(|scope| {
            let jobs = SOURCES.each_ref().map(|source| {
                let (compiler, begun) = (&compiler, &begun);
                let compile = move || {
                    begun();
                    compile(source, capability)
                };
                scope.spawn(move || cache.get(source, capability, compiler, compile))
            });
            let join = |job: thread::ScopedJoinHandle<'_, Result<Vec<u8>>>| {
                job.join().unwrap_or_else(|_| Err(Error::internal("compiling kernels: a thread panicked")))
            };
            jobs.map(join).into_iter().collect::<Result<Vec<_>>>()
        })?;
        let mut context = Context::new(ordinal)?;
        let mut functions = HashMap::new();
        for (source, code) in SOURCES.iter().zip(&machine_code) {
            let wrong = |error| failed(&format!("loading the kernels of {}", source.file), error);
            // SAFETY: the bytes are machine code that the compiler made, with its own length in it.
            let module = unsafe { module::load_data(code.as_ptr().cast()) }.map_err(wrong)?;
            context.modules.push(module);
            for kernel in source.kernels() {
                let name =
                    std::ffi::CString::new(kernel.name).map_err(|_| Error::internal("a kernel's name holds a NUL"))?;
                // SAFETY: the module is loaded.
                let function = unsafe { module::get_function(module, name) };
                functions.insert(kernel.name, function.map_err(|error| failed(kernel.name, error))?);
            }
        }
        let staging = Mutex::new(Staging::new(context.stream)?);
        let products = Mutex::new(Products::new(context.stream)?);
        Ok(Self { id, staging, products, graphs: Mutex::new(Vec::new()), functions, overlap, context })
    }

    fn failed(&self, what: &str, error: DriverError) -> Error {
        failed(&format!("{}: {what}", self.id), error)
    }

    fn graphs(&self) -> MutexGuard<'_, Vec<CUgraphExec>> {
        self.graphs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn staging(&self) -> MutexGuard<'_, Staging> {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn products(&self) -> MutexGuard<'_, Products> {
        self.products.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        self.forget_recordings();
    }
}

impl Runtime for Gpu {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        self.context.enter()?;
        let what = format!("{bytes} bytes");
        // SAFETY: the context is current; the memory is filled before anybody reads it, in the order of the stream.
        unsafe {
            let address = result::malloc_sync(bytes).map_err(|error| self.failed(&what, error))?;
            result::memset_d8_async(address, 0, bytes, self.context.stream)
                .map_err(|error| self.failed(&what, error))?;
            Ok(address)
        }
    }

    unsafe fn free(&self, address: u64) {
        // A device that fails here has failed before, and the step in which it failed has reported it.
        let _ = self.context.synchronize();
        // SAFETY: the caller promises that it was allocated here and is used no more; all that was enqueued is done.
        let _ = unsafe { result::free_sync(address) };
    }

    fn memory(&self) -> Result<DeviceMemory> {
        self.context.synchronize()?;
        let (free, total) = result::mem_get_info().map_err(|error| self.failed("asking for its memory", error))?;
        Ok(DeviceMemory { free: free as u64, total: total as u64 })
    }

    unsafe fn write(&self, to: u64, bytes: &[u8]) -> Result<()> {
        self.context.enter()?;
        // SAFETY: the caller promises that there is the room.
        unsafe { self.staging().write(to, bytes) }.map_err(|error| self.failed("copying to the GPU", error))
    }

    unsafe fn read(&self, from: u64, bytes: &mut [u8]) -> Result<()> {
        self.context.enter()?;
        // SAFETY: the caller promises that there are as many.
        unsafe { self.staging().read(from, bytes) }.map_err(|error| self.failed("copying from the GPU", error))
    }

    unsafe fn launch(&self, launch: &Launch) -> Result<()> {
        self.context.enter()?;
        let name = launch.kernel.name;
        let function = self.functions.get(name).ok_or_else(|| Error::internal(format!("there is no kernel {name}")))?;
        // SAFETY: the caller promises that the arguments are the kernel's.
        unsafe { launch::enqueue(*function, launch, self.context.stream, self.overlap) }
            .map_err(|error| self.failed(name, error))
    }

    unsafe fn product(&self, product: &Product) -> Result<()> {
        self.context.enter()?;
        // SAFETY: the caller promises that the addresses have what the shapes say.
        unsafe { self.products().enqueue(product) }
            .map_err(|problem| Error::internal(format!("{}: {problem}", self.id)))
    }

    fn begin_recording(&self) -> Result<()> {
        self.context.enter()?;
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        // SAFETY: the stream exists.
        unsafe { stream::begin_capture(self.context.stream, mode) }
            .map_err(|error| self.failed("beginning a CUDA graph", error))
    }

    fn end_recording(&self) -> Result<Recording> {
        self.context.enter()?;
        let wrong = |error| self.failed("making a CUDA graph", error);
        // SAFETY: the stream exists and records.
        let recorded = unsafe { stream::end_capture(self.context.stream) }.map_err(wrong)?;
        // SAFETY: the graph was just made, and is destroyed once.
        let executable = unsafe {
            let executable = graph::instantiate(recorded, CUgraphInstantiate_flags(0));
            let _ = graph::destroy(recorded);
            executable.map_err(wrong)?
        };
        let mut graphs = self.graphs();
        graphs.push(executable);
        Ok(Recording(graphs.len() - 1))
    }

    unsafe fn replay(&self, recording: Recording) -> Result<()> {
        self.context.enter()?;
        let executable = self.graphs().get(recording.0).copied();
        let executable = executable.ok_or_else(|| Error::internal("a recording that was forgotten is replayed"))?;
        // SAFETY: the graph exists; the caller promises that its memory does.
        unsafe { graph::launch(executable, self.context.stream) }
            .map_err(|error| self.failed("replaying a CUDA graph", error))
    }

    fn forget_recordings(&self) {
        let _ = self.context.synchronize();
        for executable in self.graphs().drain(..) {
            // SAFETY: it was made once, is destroyed once, and does not run.
            let _ = unsafe { graph::exec_destroy(executable) };
        }
    }

    fn synchronize(&self) -> Result<()> {
        self.context.synchronize()
    }
}
