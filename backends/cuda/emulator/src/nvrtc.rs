//! The functions of NVRTC 13.0 that the backend calls. The "machine code" that they return is the path of a shared
//! library for this machine.
//!
//! All of them are `unsafe` for the same reason: pointers are to what `nvrtc.h` says.

#![allow(non_snake_case, reason = "their names are CUDA's")]

use std::ffi::{CStr, c_char, c_int};
use std::path::PathBuf;

use cudarc::nvrtc::sys::nvrtcResult;

use crate::compiler;

/// The start of this compiler's machine code; the path of the library follows, and a NUL.
const MAGIC: &str = "emulated:";

/// A program; its handle is a pointer to it.
struct Program {
    source: String,
    name: String,
    log: String,
    image: Vec<u8>,
}

/// Loads the library that machine code names.
///
/// # Safety
/// It is a text that ends with NUL.
pub(crate) unsafe fn library_of(image: *const c_char) -> Option<String> {
    // SAFETY: the caller promises it.
    let text = unsafe { CStr::from_ptr(image) }.to_str().ok()?;
    Some(text.strip_prefix(MAGIC)?.to_owned())
}

fn text(from: *const c_char) -> String {
    // SAFETY: as the module says.
    unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned()
}

fn build(program: &Program) -> Result<Vec<u8>, String> {
    let directory = std::env::var_os("JIG_EMULATED_KERNELS").map(PathBuf::from);
    let directory = directory.unwrap_or_else(|| std::env::temp_dir().join("jig-emulated-kernels"));
    let library = compiler::build(&directory, &compiler::find()?, &program.name, &program.source)?;
    let path = library.to_str().ok_or("the path of the kernels is not UTF-8")?;
    Ok(format!("{MAGIC}{path}\0").into_bytes())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcVersion(major: *mut c_int, minor: *mut c_int) -> nvrtcResult {
    // SAFETY: as the module says, here and in all that follow.
    unsafe {
        major.write(13);
        minor.write(0);
    }
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcCreateProgram(
    out: *mut *mut Program,
    source: *const c_char,
    name: *const c_char,
    headers: c_int,
    _texts: *const *const c_char,
    _names: *const *const c_char,
) -> nvrtcResult {
    if headers != 0 {
        return nvrtcResult::NVRTC_ERROR_INVALID_INPUT;
    }
    let program = Program { source: text(source), name: text(name), log: String::new(), image: Vec::new() };
    // SAFETY: as above.
    unsafe { out.write(Box::into_raw(Box::new(program))) };
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcDestroyProgram(program: *mut *mut Program) -> nvrtcResult {
    // SAFETY: as above: it was made by this compiler.
    drop(unsafe { Box::from_raw(*program) });
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcCompileProgram(
    program: *mut Program,
    count: c_int,
    options: *const *const c_char,
) -> nvrtcResult {
    // SAFETY: as above.
    let program = unsafe { &mut *program };
    // SAFETY: as above.
    let options = (0..usize::try_from(count).unwrap_or(0)).map(|index| text(unsafe { *options.add(index) }));
    if !options.into_iter().any(|option| option == "--gpu-architecture=sm_90") {
        program.log = "the emulated GPU is an sm_90".to_owned();
        return nvrtcResult::NVRTC_ERROR_INVALID_OPTION;
    }
    match build(program) {
        Ok(image) => {
            program.image = image;
            nvrtcResult::NVRTC_SUCCESS
        }
        Err(problem) => {
            program.log = problem.replace('\0', "");
            nvrtcResult::NVRTC_ERROR_COMPILATION
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcGetProgramLogSize(program: *mut Program, size: *mut usize) -> nvrtcResult {
    // SAFETY: as above.
    unsafe { size.write((&*program).log.len() + 1) };
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcGetProgramLog(program: *mut Program, out: *mut c_char) -> nvrtcResult {
    // SAFETY: as above: there is the room that was asked for.
    unsafe {
        let log = &(&*program).log;
        std::ptr::copy_nonoverlapping(log.as_ptr(), out.cast(), log.len());
        out.add(log.len()).write(0);
    }
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcGetCUBINSize(program: *mut Program, size: *mut usize) -> nvrtcResult {
    // SAFETY: as above.
    unsafe { size.write((&*program).image.len()) };
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcGetCUBIN(program: *mut Program, out: *mut c_char) -> nvrtcResult {
    // SAFETY: as above: there is the room that was asked for.
    unsafe {
        let image = &(&*program).image;
        std::ptr::copy_nonoverlapping(image.as_ptr(), out.cast(), image.len());
    }
    nvrtcResult::NVRTC_SUCCESS
}
