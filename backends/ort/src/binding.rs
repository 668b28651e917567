//! [`Binding`]: tensors in our memory as the inputs and outputs of a run.
//!
//! `ort`'s own `bind_input` copies tensors that it does not own, and avoiding such a copy of the KV cache is the
//! purpose of binding. So this module creates and binds tensors by the C API.

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};

use jig_plugin_api::{Error, ErrorCode, Result};
use ort::AsPointer;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session};
use ort::sys;
use ort::value::TensorElementType;

use crate::device::Device;
use crate::session::{is_out_of_memory, shorten};

/// A tensor in memory that it does not own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tensor<'a> {
    pub(crate) data: *mut c_void,
    pub(crate) element: TensorElementType,
    /// Whether it is in the memory of the device that the graph runs on; otherwise it is in host memory.
    pub(crate) on_device: bool,
    pub(crate) sizes: &'a [usize],
}

/// Which tensors the next run reads and writes.
pub(crate) struct Binding {
    binding: IoBinding,
    processor: MemoryInfo<'static>,
    device: MemoryInfo<'static>,
}

impl Binding {
    /// A binding for tensors in host memory and in that of the session's device.
    pub(crate) fn new(session: &Session, device: Device) -> Result<Self> {
        let binding = session.create_binding().map_err(|error| failed("create a binding", &error))?;
        let device = match device {
            Device::Cpu => Ok(MemoryInfo::default()),
            Device::Cuda(number) => {
                MemoryInfo::new(AllocationDevice::CUDA, number, AllocatorType::Device, MemoryType::Default)
            }
        };
        let device = device.map_err(|error| failed("describe the memory of the device", &error))?;
        Ok(Self { binding, processor: MemoryInfo::default(), device })
    }

    fn place(&self, tensor: Tensor<'_>) -> &MemoryInfo<'static> {
        if tensor.on_device { &self.device } else { &self.processor }
    }

    /// Binds an input to a tensor for the next runs.
    ///
    /// # Safety
    /// The memory holds the tensor until the last run with this binding has ended.
    pub(crate) unsafe fn input(&mut self, name: &CStr, tensor: Tensor<'_>) -> Result<()> {
        // SAFETY: the caller's.
        let value = unsafe { Value::new(self.place(tensor), tensor) }?;
        // SAFETY: all three live; the binding keeps a reference of its own to the value.
        let status = unsafe { (ort::api().BindInput)(self.binding.ptr_mut(), name.as_ptr(), value.0.as_ptr()) };
        check(status, "bind an input")
    }

    /// Binds an output to a tensor for the next runs. Its sizes must be those that the graph computes.
    ///
    /// # Safety
    /// As for [`Self::input`]; and nothing else uses the memory during a run, except the past of a graph that works in
    /// place.
    pub(crate) unsafe fn output(&mut self, name: &CStr, tensor: Tensor<'_>) -> Result<()> {
        // SAFETY: the caller's.
        let value = unsafe { Value::new(self.place(tensor), tensor) }?;
        // SAFETY: all three live; the binding keeps a reference of its own to the value.
        let status = unsafe { (ort::api().BindOutput)(self.binding.ptr_mut(), name.as_ptr(), value.0.as_ptr()) };
        check(status, "bind an output")
    }

    /// Runs the graph.
    ///
    /// # Safety
    /// All inputs and outputs are bound to memory that still exists.
    pub(crate) unsafe fn run(&mut self, session: &mut Session) -> Result<()> {
        // SAFETY: both live, and are borrowed exclusively; no options is allowed.
        let status = unsafe { (ort::api().RunWithBinding)(session.ptr().cast_mut(), ptr::null(), self.binding.ptr()) };
        check(status, "run the graph")
    }
}

/// A tensor of ONNX Runtime.
struct Value(NonNull<sys::OrtValue>);

impl Value {
    /// # Safety
    /// The memory holds the tensor for as long as the value or a binding of it is used.
    unsafe fn new(place: &MemoryInfo<'_>, tensor: Tensor<'_>) -> Result<Self> {
        let too_large = || Error::out_of_memory(format!("a tensor of the sizes {:?}", tensor.sizes));
        let sizes: Vec<i64> = tensor.sizes.iter().map(|size| *size as i64).collect();
        let elements = tensor.sizes.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
        let bytes = elements.and_then(|elements| tensor.element.byte_size(elements)).ok_or_else(too_large)?;
        let mut value = ptr::null_mut();
        // SAFETY: the place and the sizes live; the memory is the caller's.
        let status = unsafe {
            (ort::api().CreateTensorWithDataAsOrtValue)(
                place.ptr(),
                tensor.data,
                bytes,
                sizes.as_ptr(),
                sizes.len(),
                tensor.element.into(),
                &mut value,
            )
        };
        check(status, "make a tensor")?;
        NonNull::new(value).map(Self).ok_or_else(|| Error::internal("ONNX Runtime made no tensor"))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: it was made by `new`, and is released once.
        unsafe { (ort::api().ReleaseValue)(self.0.as_ptr()) };
    }
}

fn check(status: sys::OrtStatusPtr, what: &str) -> Result<()> {
    // SAFETY: it is what a call of the C API returned, and is taken once.
    unsafe { ort::Error::result_from_status(status) }.map_err(|error| failed(what, &error))
}

fn failed(what: &str, error: &ort::Error) -> Error {
    let code = if is_out_of_memory(error.message()) { ErrorCode::OutOfMemory } else { ErrorCode::Internal };
    Error::new(code, format!("ONNX Runtime can't {what}: {}", shorten(error.message())))
}
