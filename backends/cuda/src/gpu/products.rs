//! [`Products`]: large matrix products by cuBLASLt.
//!
//! cuBLASLt's matrices are column-major: `[rows][inputs]` here is `inputs` by `rows` there. So it computes `out =
//! weight^T x`, with `weight` as `inputs` by `outputs` and `x` as `inputs` by `rows`.
//!
//! The algorithm of each shape is cached: choosing one takes longer than many products.

use std::collections::HashMap;
use std::os::raw::c_void;
use std::ptr::{from_ref, null};

use cudarc::cublaslt::result::{self as lt, CublasError};
use cudarc::cublaslt::sys;
use cudarc::driver::result as driver;
use cudarc::driver::sys::CUstream;
use jig_plugin_api::{Error, Result};
use jig_transformer::DType;

use super::failure::failed;
use crate::runtime::Product;

/// The workspace of cuBLASLt: the size that NVIDIA recommends for compute capability 9.0.
const WORKSPACE: usize = 32 << 20;

/// The most shapes whose algorithms are cached.
const MOST: usize = 4096;

/// `CUBLAS_OP_T` of `cublasOperation_t`, which cuBLAS's header has and cuBLASLt's has not.
const TRANSPOSED: i32 = 1;

/// See the [module](self).
pub(super) struct Products {
    handle: sys::cublasLtHandle_t,
    workspace: u64,
    stream: CUstream,
    chosen: HashMap<Shape, Chosen>,
}

/// A product without its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    dtype: DType,
    rows: usize,
    outputs: usize,
    inputs: usize,
    out_stride: usize,
}

/// The descriptors and the algorithm of a shape.
struct Chosen {
    product: sys::cublasLtMatmulDesc_t,
    weight: sys::cublasLtMatrixLayout_t,
    x: sys::cublasLtMatrixLayout_t,
    out: sys::cublasLtMatrixLayout_t,
    algorithm: sys::cublasLtMatmulAlgo_t,
}

impl Drop for Chosen {
    fn drop(&mut self) {
        // SAFETY: they were made once; products that were enqueued don't need them.
        unsafe {
            let _ = lt::destroy_matmul_desc(self.product);
            for layout in [self.weight, self.x, self.out] {
                let _ = lt::destroy_matrix_layout(layout);
            }
        }
    }
}

impl Products {
    pub(super) fn new(stream: CUstream) -> Result<Self> {
        let handle = lt::create_handle().map_err(|error| Error::internal(format!("starting cuBLASLt: {error}")))?;
        // SAFETY: the context is current.
        let workspace = unsafe { driver::malloc_sync(WORKSPACE) }.map_err(|error| {
            // SAFETY: the handle was just made.
            let _ = unsafe { lt::destroy_handle(handle) };
            failed("cuBLASLt's workspace", error)
        })?;
        Ok(Self { handle, workspace, stream, chosen: HashMap::new() })
    }

    /// Enqueues a product.
    ///
    /// # Safety
    /// Its addresses have the memory that its shape says, and the context is current.
    pub(super) unsafe fn enqueue(&mut self, product: &Product) -> std::result::Result<(), String> {
        let Product { dtype, rows, outputs, inputs, out_stride, x, weight, out } = *product;
        let shape = Shape { dtype, rows, outputs, inputs, out_stride };
        let wrong = |error: CublasError| {
            format!("cuBLASLt: a product of {rows} rows of {inputs} with {outputs} outputs in {dtype}: {error}")
        };
        if !self.chosen.contains_key(&shape) {
            if self.chosen.len() >= MOST {
                self.chosen.clear();
            }
            let chosen = self.choose(&shape).map_err(wrong)?;
            self.chosen.insert(shape, chosen);
        }
        let Some(chosen) = self.chosen.get(&shape) else { return Ok(()) };
        let (one, zero) = (1.0f32, 0.0f32);
        // SAFETY: the descriptions are those of the shape, and the caller promises the memory. The factors are read at once.
        unsafe {
            lt::matmul(
                self.handle,
                chosen.product,
                from_ref(&one).cast(),
                from_ref(&zero).cast(),
                weight as *const c_void,
                chosen.weight,
                x as *const c_void,
                chosen.x,
                out as *const c_void,
                chosen.out,
                out as *mut c_void,
                chosen.out,
                from_ref(&chosen.algorithm),
                self.workspace as *mut c_void,
                WORKSPACE,
                self.stream.cast(),
            )
        }
        .map_err(wrong)
    }

    fn choose(&self, shape: &Shape) -> std::result::Result<Chosen, CublasError> {
        let kind = match shape.dtype {
            DType::F32 => sys::cudaDataType_t::CUDA_R_32F,
            DType::F16 => sys::cudaDataType_t::CUDA_R_16F,
            DType::BF16 | DType::F8 | DType::I4 => sys::cudaDataType_t::CUDA_R_16BF,
        };
        let float = sys::cudaDataType_t::CUDA_R_32F;
        let (rows, outputs, inputs) = (shape.rows as u64, shape.outputs as u64, shape.inputs as u64);
        let mut chosen = Chosen {
            product: lt::create_matmul_desc(sys::cublasComputeType_t::CUBLAS_COMPUTE_32F, float)?,
            weight: null::<c_void>().cast_mut().cast(),
            x: null::<c_void>().cast_mut().cast(),
            out: null::<c_void>().cast_mut().cast(),
            algorithm: sys::cublasLtMatmulAlgo_t { data: [0; 8] },
        };
        chosen.weight = lt::create_matrix_layout(kind, inputs, outputs, shape.inputs as i64)?;
        chosen.x = lt::create_matrix_layout(kind, inputs, rows, shape.inputs as i64)?;
        chosen.out = lt::create_matrix_layout(float, outputs, rows, shape.out_stride as i64)?;
        let attribute = sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSA;
        let preference = lt::create_matmul_pref()?;
        let limit = sys::cublasLtMatmulPreferenceAttributes_t::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
        // SAFETY: all were made above; attributes are of the sizes that are given, and are copied.
        let found = unsafe {
            let set = lt::set_matmul_desc_attribute(
                chosen.product,
                attribute,
                from_ref(&TRANSPOSED).cast(),
                size_of_val(&TRANSPOSED),
            );
            let set = set.and_then(|()| {
                lt::set_matmul_pref_attribute(preference, limit, from_ref(&WORKSPACE).cast(), size_of_val(&WORKSPACE))
            });
            let found = set.and_then(|()| {
                let Chosen { product, weight, x, out, .. } = chosen;
                lt::get_matmul_algo_heuristic(self.handle, product, weight, x, out, out, preference)
            });
            let _ = lt::destroy_matmul_pref(preference);
            found?
        };
        chosen.algorithm = found.algo;
        Ok(chosen)
    }
}

impl Drop for Products {
    fn drop(&mut self) {
        self.chosen.clear();
        // SAFETY: both were made once and are given back once. Freeing memory waits for the GPU.
        unsafe {
            let _ = driver::free_sync(self.workspace);
            let _ = lt::destroy_handle(self.handle);
        }
    }
}
