//! The functions of cuBLASLt 13.0 that the backend calls: products with the first matrix transposed.
//!
//! All of them are `unsafe` for the same reason: pointers are to what `cublasLt.h` says.

#![allow(non_snake_case, reason = "their names are CUDA's")]

use std::ffi::{c_int, c_void};
use std::hash::{DefaultHasher, Hash, Hasher};

use cudarc::cublaslt::sys::{
    cublasComputeType_t, cublasLtMatmulAlgo_t, cublasLtMatmulDescAttributes_t, cublasLtMatmulHeuristicResult_t,
    cublasLtMatmulPreferenceAttributes_t, cublasStatus_t, cudaDataType_t,
};

use crate::driver::{Handle, Operation, gpu};
use crate::product::{Element, Product};

type Status = cublasStatus_t;

/// The description of a product (`cublasLtMatmulDesc_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Description {
    compute: u32,
    scale: u32,
    transposed: [c_int; 2],
}

/// A matrix layout, column-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Layout {
    kind: u32,
    rows: u64,
    columns: u64,
    stride: i64,
}

/// The constraints on algorithms (`cublasLtMatmulPreference_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Preference {
    workspace: u64,
    /// The alignments of A, B, C and D.
    alignments: [u32; 4],
}

fn refuse(problem: &str) -> Status {
    eprintln!("emulated cuBLASLt: refused: {problem}");
    Status::CUBLAS_STATUS_INVALID_VALUE
}

/// The product that these describe, without its addresses.
fn describe(description: Description, a: Layout, b: Layout, c: Layout, d: Layout) -> Result<Product, Status> {
    let float = cudaDataType_t::CUDA_R_32F as u32;
    let right = description.compute == cublasComputeType_t::CUBLAS_COMPUTE_32F as u32
        && description.scale == float
        && description.transposed == [1, 0]
        && (a.kind, c.kind, c) == (b.kind, float, d);
    let fits = (a.rows, a.columns, b.columns) == (b.rows, d.rows, d.columns)
        && (a.stride, b.stride) == (a.rows as i64, b.rows as i64)
        && d.stride >= d.rows as i64
        && a.rows > 0
        && d.rows > 0
        && d.columns > 0;
    if !right || !fits {
        return Err(refuse(&format!("{description:?} of {a:?}, {b:?}, {c:?}, {d:?}")));
    }
    let element = match a.kind {
        kind if kind == float => Element::F32,
        kind if kind == cudaDataType_t::CUDA_R_16F as u32 => Element::F16,
        kind if kind == cudaDataType_t::CUDA_R_16BF as u32 => Element::Bf16,
        kind => return Err(refuse(&format!("elements of type {kind}"))),
    };
    Ok(Product {
        element,
        rows: d.columns as usize,
        outputs: d.rows as usize,
        inputs: a.rows as usize,
        out_stride: d.stride as usize,
        x: 0,
        weight: 0,
        out: 0,
    })
}

/// The contents of an algorithm, by which its use for another product is detected.
fn algorithm(product: &Product, preference: Preference) -> cublasLtMatmulAlgo_t {
    let Product { element, rows, outputs, inputs, out_stride, .. } = *product;
    let mut hasher = DefaultHasher::new();
    (element.bytes(), rows, outputs, inputs, out_stride).hash(&mut hasher);
    let [a, b, c, d] = preference.alignments.map(u64::from);
    cublasLtMatmulAlgo_t { data: [hasher.finish(), preference.workspace, a, b, c, d, 0, 0] }
}

unsafe fn make<T>(out: *mut *mut T, value: T) -> Status {
    // SAFETY: as the module says, here and in all that follow.
    unsafe { out.write(Box::into_raw(Box::new(value))) };
    Status::CUBLAS_STATUS_SUCCESS
}

unsafe fn destroy<T>(made: *mut T) -> Status {
    // SAFETY: as above: it was made by `make`.
    drop(unsafe { Box::from_raw(made) });
    Status::CUBLAS_STATUS_SUCCESS
}

/// Reads an attribute's value.
unsafe fn value<T: Copy>(from: *const c_void, size: usize) -> Result<T, Status> {
    if size != size_of::<T>() {
        return Err(refuse(&format!("an attribute of {} bytes is given with {size}", size_of::<T>())));
    }
    // SAFETY: as above.
    Ok(unsafe { from.cast::<T>().read_unaligned() })
}

fn status(outcome: Result<(), Status>) -> Status {
    outcome.err().unwrap_or(Status::CUBLAS_STATUS_SUCCESS)
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtGetVersion() -> usize {
    130_000
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtCreate(handle: *mut *mut u64) -> Status {
    // SAFETY: as above.
    unsafe { make(handle, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtDestroy(handle: *mut u64) -> Status {
    // SAFETY: as above.
    unsafe { destroy(handle) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtMatmulDescCreate(out: *mut *mut Description, compute: u32, scale: u32) -> Status {
    // SAFETY: as above.
    unsafe { make(out, Description { compute, scale, transposed: [0, 0] }) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtMatmulDescDestroy(description: *mut Description) -> Status {
    // SAFETY: as above.
    unsafe { destroy(description) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtMatmulDescSetAttribute(
    description: *mut Description,
    attribute: u32,
    from: *const c_void,
    size: usize,
) -> Status {
    use cublasLtMatmulDescAttributes_t as Attribute;
    let which = [Attribute::CUBLASLT_MATMUL_DESC_TRANSA, Attribute::CUBLASLT_MATMUL_DESC_TRANSB];
    let Some(index) = which.iter().position(|which| *which as u32 == attribute) else {
        return refuse(&format!("attribute {attribute} of a product"));
    };
    // SAFETY: as above.
    status(unsafe { value(from, size).map(|transposed| (*description).transposed[index] = transposed) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtMatrixLayoutCreate(
    out: *mut *mut Layout,
    kind: u32,
    rows: u64,
    columns: u64,
    stride: i64,
) -> Status {
    // SAFETY: as above.
    unsafe { make(out, Layout { kind, rows, columns, stride }) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtMatrixLayoutDestroy(layout: *mut Layout) -> Status {
    // SAFETY: as above.
    unsafe { destroy(layout) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtMatmulPreferenceCreate(out: *mut *mut Preference) -> Status {
    // SAFETY: as above. These are the library's own.
    unsafe { make(out, Preference { workspace: 0, alignments: [256; 4] }) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtMatmulPreferenceDestroy(preference: *mut Preference) -> Status {
    // SAFETY: as above.
    unsafe { destroy(preference) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtMatmulPreferenceSetAttribute(
    preference: *mut Preference,
    attribute: u32,
    from: *const c_void,
    size: usize,
) -> Status {
    use cublasLtMatmulPreferenceAttributes_t as Attribute;
    let alignments = [
        Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
        Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
        Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
    ];
    // SAFETY: as above.
    let preference = unsafe { &mut *preference };
    // SAFETY: as above.
    status(unsafe {
        if attribute == Attribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES as u32 {
            value(from, size).map(|bytes| preference.workspace = bytes)
        } else if let Some(index) = alignments.iter().position(|which| *which as u32 == attribute) {
            value(from, size).map(|bytes| preference.alignments[index] = bytes)
        } else {
            Err(refuse(&format!("attribute {attribute} of a preference")))
        }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtMatmulAlgoGetHeuristic(
    _handle: *mut u64,
    description: *const Description,
    a: *const Layout,
    b: *const Layout,
    c: *const Layout,
    d: *const Layout,
    preference: *const Preference,
    _asked: c_int,
    found: *mut cublasLtMatmulHeuristicResult_t,
    count: *mut c_int,
) -> Status {
    // SAFETY: as above: there is room for one at least.
    unsafe {
        status(describe(*description, *a, *b, *c, *d).map(|product| {
            found.write(cublasLtMatmulHeuristicResult_t {
                algo: algorithm(&product, *preference),
                workspaceSize: usize::try_from((*preference).workspace).unwrap_or(0),
                state: Status::CUBLAS_STATUS_SUCCESS,
                wavesCount: 1.0,
                reserved: [0; 4],
            });
            count.write(1);
        }))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasLtMatmul(
    _handle: *mut u64,
    description: *const Description,
    alpha: *const f32,
    a: u64,
    a_layout: *const Layout,
    b: u64,
    b_layout: *const Layout,
    beta: *const f32,
    c: u64,
    c_layout: *const Layout,
    d: u64,
    d_layout: *const Layout,
    chosen: *const cublasLtMatmulAlgo_t,
    workspace: u64,
    workspace_size: usize,
    stream: Handle,
) -> Status {
    // SAFETY: as above.
    let (product, factors, chosen) = unsafe {
        let product = describe(*description, *a_layout, *b_layout, *c_layout, *d_layout);
        (product, [*alpha, *beta], (*chosen).data)
    };
    status(product.and_then(|product| {
        let alignments = [chosen[2], chosen[3], chosen[4], chosen[5]].map(|bytes| bytes as u32);
        let preference = Preference { workspace: chosen[1], alignments };
        if algorithm(&product, preference).data != chosen {
            return Err(refuse("an algorithm that was chosen for another product"));
        }
        if let Some((address, bytes)) =
            [a, b, c, d].into_iter().zip(alignments).find(|(address, bytes)| address % u64::from(*bytes) != 0)
        {
            return Err(refuse(&format!("{address:#x} is no multiple of {bytes}, which the algorithm was chosen for")));
        }
        if factors != [1.0, 0.0] || c != d || (workspace_size as u64) < preference.workspace {
            return Err(refuse("factors, a third matrix or a workspace that are not emulated"));
        }
        let mut gpu = gpu();
        gpu.check_memory(workspace..workspace + workspace_size as u64, "a workspace")
            .and_then(|()| gpu.enqueue(stream, Operation::Product(Product { x: b, weight: a, out: d, ..product })))
            .map_err(|_| Status::CUBLAS_STATUS_EXECUTION_FAILED)
    }))
}
