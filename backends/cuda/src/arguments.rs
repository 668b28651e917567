//! The argument structures of the kernels, field by field as in `kernels/*.cu`.
//!
//! Addresses are `u64`; 0 means absent. Strides and widths are in elements.

use jig_transformer::DType;
use jig_transformer::device::{Activation, Epilogue};

/// An argument structure.
///
/// # Safety
/// It is `repr(C)` and has the fields of the structure of the same name in `kernels/*.cu`.
pub(crate) unsafe trait Arguments: Copy {}

/// Declares argument structures.
macro_rules! arguments {
    ($($(#[$note:meta])* $name:ident { $($field:ident: $kind:ty),* $(,)? })*) => {$(
        $(#[$note])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name {
            $(pub(crate) $field: $kind,)*
        }
        // SAFETY: it is `repr(C)`; the emulated kernels check its size, and their tests the fields.
        unsafe impl Arguments for $name {}
    )*};
}

arguments! {
    Embed { table: u64, ids: u64, out: u64, table_stride: u32, width: u32, out_stride: u32, offset: u32 }
    NormRows {
        x: u64, delta: u64, weight: u64, bias: u64, out: u64,
        width: u32, x_stride: u32, delta_stride: u32, out_stride: u32, epsilon: f32, centred: u32, out_kind: u32,
    }
    Gather { x: u64, rows: u64, out: u64, width: u32, x_stride: u32, out_stride: u32 }
    Narrow { x: u64, out: u64, order: u64, stride: u32 }
    Linear {
        x: u64, weight: u64, scale: u64, bias: u64, out: u64, groups: u64,
        outputs: u32, rows: u32, stride: u32, out_stride: u32, function: u32, gate: u32,
        groups_stride: u32, row_shift: u32, shift: u32, splits: u32, parts: u64, counters: u64,
    }
    Widen { weight: u64, out: u64, count: u64 }
    WidenGroups {
        weight: u64, groups: u64, out: u64, first: u32, stride: u32, groups_stride: u32, row_shift: u32, shift: u32,
    }
    Finish {
        product: u64, scale: u64, bias: u64, out: u64,
        outputs: u32, product_stride: u32, out_stride: u32, function: u32, gate: u32, out_kind: u32,
    }
    /// A norm over heads; kind 0 is no norm.
    HeadNorm { weight: u64, bias: u64, epsilon: f32, kind: u32 }
    StoreKv {
        qkv: u64, positions: u64, slots: u64, rotation: u64, keys: u64, values: u64,
        query_norm: HeadNorm, key_norm: HeadNorm,
        heads: u32, kv_heads: u32, head_dim: u32, cache_dim: u32, stride: u32, rotated: u32,
    }
    CopyPage { cache: u64, layer_stride: u64, page_size: u64, from: u32, to: u32 }
    Decode {
        qkv: u64, keys: u64, values: u64, positions: u64, rows: u64, first_pages: u64, pages: u64, parts: u64,
        counters: u64, out: u64,
        heads: u32, kv_heads: u32, head_dim: u32, cache_dim: u32, qkv_stride: u32, out_stride: u32, window: u32, splits: u32,
        blocks: u32, out_kind: u32, scale: f32,
    }
    Prefill {
        qkv: u64, keys: u64, values: u64, tiles: u64, pages: u64, out: u64,
        heads: u32, kv_heads: u32, head_dim: u32, cache_dim: u32, qkv_stride: u32, out_stride: u32, window: u32,
        out_kind: u32, scale: f32,
    }
    Draw {
        logits: u64, rows: u64, masks: u64, edits: u64, copies: u64, drawn: u64, tops: u64,
        vocabulary: u32, stride: u32,
    }
}

/// The code of a type of activations in `store_activations` of `kernels/prelude.cuh`.
pub(crate) fn kind_code(dtype: DType) -> u32 {
    match dtype {
        DType::F32 => 0,
        DType::F16 => 1,
        // Narrower types are storage only: they are computed in one of these.
        DType::BF16 | DType::F8 | DType::I4 => 2,
    }
}

/// The code of an epilogue in `activate` of `kernels/prelude.cuh`, and whether it is a gate.
pub(crate) fn function_code(epilogue: Epilogue) -> (u32, u32) {
    let code = |activation| match activation {
        Activation::Relu => 1,
        Activation::Silu => 2,
        Activation::Gelu => 3,
        Activation::GeluTanh => 4,
    };
    match epilogue {
        Epilogue::None => (0, 0),
        Epilogue::Activate(activation) => (code(activation), 0),
        Epilogue::Gate(activation) => (code(activation), 1),
    }
}
