//! The kernels: their sources, names and sizes of blocks. The constants must agree with `kernels/*.cu`.

use jig_transformer::DType;

/// A file of `kernels/`.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Its name.
    pub file: &'static str,
    /// Its text, without [`PRELUDE`].
    pub text: &'static str,
    /// What it defines.
    pub kernels: &'static [&'static [Kernel]],
}

/// A kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Its name.
    pub name: &'static str,
    /// Threads of a block.
    pub threads: u32,
}

/// A kernel for each type of elements, in the order of [`of`].
pub type Typed = [Kernel; 3];

macro_rules! typed {
    ($name:literal, $end:literal, $threads:expr) => {
        [
            Kernel { name: concat!($name, "_f32", $end), threads: $threads },
            Kernel { name: concat!($name, "_f16", $end), threads: $threads },
            Kernel { name: concat!($name, "_bf16", $end), threads: $threads },
        ]
    };
}

/// Kernels with `threads` threads each.
macro_rules! named {
    ($threads:literal, $($name:literal),*) => { [$(Kernel { name: $name, threads: $threads }),*] };
}

/// The kernel for a type of elements.
#[must_use]
pub fn of(kernels: &Typed, dtype: DType) -> Kernel {
    match dtype {
        DType::F32 => kernels[0],
        DType::F16 => kernels[1],
        // What has fewer bits is computed in one of these types.
        DType::BF16 | DType::F8 | DType::I4 => kernels[2],
    }
}

/// `out[r] = table[id]`.
pub const EMBED: Typed = typed!("embed", "", 256);
/// `out[r] += table[id + offset]`.
pub const ADD_EMBED: Typed = typed!("add_embed", "", 256);
/// `x += delta; out = norm(x)`, for rows of up to [`NORM_WIDTHS`] elements.
pub const NORM_ROWS: [Kernel; 3] = named!(1024, "norm_rows_1", "norm_rows_2", "norm_rows_4");
/// See [`NORM_ROWS`].
pub const NORM_WIDTHS: [usize; 3] = [4096, 8192, 16384];
/// `out[i] = x[rows[i]]`.
pub const GATHER_ROWS: [Kernel; 1] = [Kernel { name: "gather_rows", threads: 1024 }];
/// Converts rows to the type of the weights, in the order of their columns.
pub const NARROW: Typed = typed!("narrow", "", 256);
/// Products of up to [`LINEAR_ROWS`] rows.
pub const LINEAR: [Typed; 5] = [
    typed!("linear", "_1", 256),
    typed!("linear", "_2", 256),
    typed!("linear", "_4", 256),
    typed!("linear", "_8", 256),
    typed!("linear", "_16", 256),
];
/// The same with weights of 8 bits.
pub const LINEAR_F8: [Kernel; 5] =
    named!(256, "linear_f8_1", "linear_f8_2", "linear_f8_4", "linear_f8_8", "linear_f8_16");
/// The same with a scale for each block.
pub const LINEAR_F8_BLOCKS: [Kernel; 5] = named!(
    256,
    "linear_f8_blocks_1",
    "linear_f8_blocks_2",
    "linear_f8_blocks_4",
    "linear_f8_blocks_8",
    "linear_f8_blocks_16"
);
/// The same with weights of 4 bits.
pub const LINEAR_I4: [Kernel; 5] =
    named!(256, "linear_i4_1", "linear_i4_2", "linear_i4_4", "linear_i4_8", "linear_i4_16");
/// The outputs that a warp of each of [`LINEAR_I4`] computes.
pub const LINEAR_I4_OUTPUTS: [usize; 5] = [4, 4, 4, 4, 2];
/// Products on tensor cores, of up to [`LINEAR_MMA_ROWS`] rows, with weights of f16.
pub const LINEAR_MMA_F16: [Kernel; 2] = named!(128, "linear_mma_f16_8", "linear_mma_f16_16");
/// The same with weights of bf16.
pub const LINEAR_MMA_BF16: [Kernel; 2] = named!(128, "linear_mma_bf16_8", "linear_mma_bf16_16");
/// The same with weights of 8 bits.
pub const LINEAR_MMA_F8: [Kernel; 3] = named!(128, "linear_mma_f8_8", "linear_mma_f8_16", "linear_mma_f8_64");
/// The same with a scale for each block.
pub const LINEAR_MMA_F8_BLOCKS: [Kernel; 3] =
    named!(128, "linear_mma_f8_blocks_8", "linear_mma_f8_blocks_16", "linear_mma_f8_blocks_64");
/// The same with weights of 4 bits.
pub const LINEAR_MMA_I4: [Kernel; 3] = named!(128, "linear_mma_i4_8", "linear_mma_i4_16", "linear_mma_i4_64");
/// The most rows of each of these kernels, the rows of a block, and the bytes of shared memory that it takes.
pub const LINEAR_MMA_ROWS: [(usize, usize, usize); 3] = [(8, 8, 4096), (16, 16, 8192), (64, 32, 8192)];
/// The outputs of a block of each of [`LINEAR_MMA_I4`], and of the others.
pub const LINEAR_MMA_I4_OUTPUTS: [usize; 3] = [256, 256, 128];
/// See [`LINEAR_MMA_I4_OUTPUTS`].
pub const LINEAR_MMA_OUTPUTS: usize = 128;
/// The inputs of a tile.
pub const LINEAR_MMA_TILE: usize = 128;
/// Widens 4-bit weights to f16 and to bf16.
pub const WIDEN_I4: [Kernel; 2] = named!(256, "widen_i4_f16", "widen_i4_bf16");
/// Widens 8-bit weights with a scale for each block to bf16.
pub const WIDEN_F8_BLOCKS: [Kernel; 1] = [Kernel { name: "widen_f8_blocks", threads: 256 }];
/// Widens 8-bit weights to bf16.
pub const WIDEN: [Kernel; 1] = [Kernel { name: "widen_f8", threads: 256 }];
/// The most rows of each of [`LINEAR`], and the outputs that a warp computes.
pub const LINEAR_ROWS: [(usize, usize); 5] = [(1, 2), (2, 2), (4, 4), (8, 4), (16, 2)];
/// Finishes a product: scale, bias and epilogue.
pub const FINISH: [Kernel; 1] = [Kernel { name: "finish", threads: 256 }];
/// Norms and rotation of heads, and writing keys and values to the cache.
pub const STORE_KV: Typed = typed!("store_kv", "", 128);
/// Copies a page of the cache.
pub const COPY_PAGE: [Kernel; 1] = [Kernel { name: "copy_page", threads: 256 }];
/// Attention of single rows; a block computes up to [`DECODE_GROUPS`] query heads of one key head together.
pub const DECODE: [Typed; 4] = [
    typed!("decode", "_1", 128),
    typed!("decode", "_2", 128),
    typed!("decode", "_4", 128),
    typed!("decode", "_8", 128),
];
/// See [`DECODE`].
pub const DECODE_GROUPS: [usize; 4] = [1, 2, 4, 8];
/// Attention of many rows of a sequence.
pub const PREFILL: Typed = typed!("prefill", "", 128);
/// The same on tensor cores, for caches of f16 and bf16, and heads of up to [`PREFILL_MMA_DIMS`] elements.
pub const PREFILL_MMA: [[Kernel; 2]; 2] = [
    [Kernel { name: "prefill_f16_64", threads: 128 }, Kernel { name: "prefill_bf16_64", threads: 128 }],
    [Kernel { name: "prefill_f16_128", threads: 128 }, Kernel { name: "prefill_bf16_128", threads: 128 }],
];
/// See [`PREFILL_MMA`].
pub const PREFILL_MMA_DIMS: [usize; 2] = [64, 128];
/// Draws tokens.
pub const DRAW: [Kernel; 1] = [Kernel { name: "draw", threads: 1024 }];

/// Adds log-probabilities to the results of [`DRAW`].
pub const LOGPROBS: [Kernel; 1] = [Kernel { name: "logprobs", threads: 1024 }];

/// The text in front of each source.
pub const PRELUDE: &str = include_str!("../kernels/prelude.cuh");

macro_rules! source {
    ($file:literal, $($kernels:expr),*) => {
        Source { file: $file, text: include_str!(concat!("../kernels/", $file)), kernels: &[$(&$kernels),*] }
    };
}

/// All sources.
pub const SOURCES: [Source; 9] = [
    source!("rows.cu", EMBED, ADD_EMBED, NORM_ROWS, GATHER_ROWS, NARROW),
    source!(
        "linear.cu",
        LINEAR[0],
        LINEAR[1],
        LINEAR[2],
        LINEAR[3],
        LINEAR[4],
        LINEAR_F8,
        LINEAR_F8_BLOCKS,
        LINEAR_I4,
        WIDEN,
        WIDEN_F8_BLOCKS,
        WIDEN_I4,
        FINISH
    ),
    source!("linear_mma.cu", LINEAR_MMA_F16, LINEAR_MMA_BF16, LINEAR_MMA_F8, LINEAR_MMA_F8_BLOCKS, LINEAR_MMA_I4),
    source!("cache.cu", STORE_KV, COPY_PAGE),
    source!("decode.cu", DECODE[0], DECODE[1], DECODE[2], DECODE[3]),
    source!("prefill.cu", PREFILL),
    source!("prefill_mma.cu", PREFILL_MMA[0], PREFILL_MMA[1]),
    source!("sample.cu", DRAW),
    source!("logprobs.cu", LOGPROBS),
];

impl Source {
    /// What is compiled.
    #[must_use]
    pub fn program(&self) -> String {
        format!("{PRELUDE}\n#line 1 \"{}\"\n{}", self.file, self.text)
    }

    /// All that it defines.
    pub fn kernels(&self) -> impl Iterator<Item = Kernel> {
        self.kernels.iter().copied().flatten().copied()
    }
}
