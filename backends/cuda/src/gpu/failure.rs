//! What a failure of the driver is as an error of the plugin.

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::CUresult;
use jig_plugin_api::Error;

use crate::libraries::text;

/// The error for `what`, with what the driver says of it; running out of memory has a code of its own, by which the host frees
/// sequences and calls again.
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
