//! Errors of the plugin for failures of the driver.

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::CUresult;
use jig_plugin_api::Error;

use crate::libraries::text;

/// The error of `what`, with the driver's text. Running out of memory has its own code, which lets the host free
/// sequences and try again.
pub(super) fn failed(what: &str, error: DriverError) -> Error {
    match error.0 {
        CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
            let free = result::mem_get_info().map(|(free, total)| format!("{free} of {total} bytes are free"));
            let free = free.unwrap_or_else(|_| "it does not tell how much it has".to_owned());
            Error::out_of_memory(format!("{what}: the GPU has no room for it: {free}"))
        }
        _ => Error::internal(format!("{what}: {}", text(error))),
    }
}
