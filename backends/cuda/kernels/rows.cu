// What is done to each row of activations by itself: embedding, norms with the residual sum before them, gathering, and the
// narrowing to 16 bits that tensor cores want. All are bound by memory and small beside the weights; a block has a row.

struct Embed {
  const void* table;
  const u32* ids;
  float* out;
  u32 table_stride, width, out_stride, offset;
};

// out[r] = table[ids[r] + offset], or is increased by it.
template <class E, bool ADD>
__device__ __forceinline__ void embed(const Embed& a) {
  const u32 row = blockIdx.x;
  const u64 id = (u64)a.ids[row] + a.offset;
  const typename E::Stored* from = (const typename E::Stored*)a.table + id * a.table_stride;
  float* out = a.out + (u64)row * a.out_stride;
  for (u32 i = threadIdx.x; i < a.width; i += blockDim.x) {
    const float x = E::widen(from[i]);
    out[i] = ADD ? out[i] + x : x;
  }
}

KERNEL(embed_f32, 256, Embed) { embed<F32, false>(a); }
KERNEL(embed_f16, 256, Embed) { embed<F16, false>(a); }
KERNEL(embed_bf16, 256, Embed) { embed<BF16, false>(a); }
KERNEL(add_embed_f32, 256, Embed) { embed<F32, true>(a); }
KERNEL(add_embed_f16, 256, Embed) { embed<F16, true>(a); }
KERNEL(add_embed_bf16, 256, Embed) { embed<BF16, true>(a); }

struct NormRows {
  float* x;
  const float* delta;
  const float* weight;
  const float* bias;
  float* out;
  u32 width, x_stride, delta_stride, out_stride;
  float epsilon;
  u32 centred;
};

// x[r] += delta[r] (if there is a delta); out[r] = norm(x[r]) (if there is an out).
//
// Each thread comes back to the elements that it has written itself, so they need no barrier.
KERNEL(norm_rows, 512, NormRows) {
  __shared__ float room[WARP];
  float* x = a.x + (u64)blockIdx.x * a.x_stride;
  if (a.delta) {
    const float* delta = a.delta + (u64)blockIdx.x * a.delta_stride;
    for (u32 i = threadIdx.x; i < a.width; i += blockDim.x) x[i] += delta[i];
  }
  if (!a.out) return;
  float mean = 0.0f;
  if (a.centred) {
    float sum = 0.0f;
    for (u32 i = threadIdx.x; i < a.width; i += blockDim.x) sum += x[i];
    mean = block_sum(sum, room) / (float)a.width;
  }
  float squares = 0.0f;
  for (u32 i = threadIdx.x; i < a.width; i += blockDim.x) squares += (x[i] - mean) * (x[i] - mean);
  const float scale = 1.0f / sqrtf(block_sum(squares, room) / (float)a.width + a.epsilon);
  float* out = a.out + (u64)blockIdx.x * a.out_stride;
  for (u32 i = threadIdx.x; i < a.width; i += blockDim.x) {
    const float weight = a.weight ? a.weight[i] : 1.0f;
    const float bias = a.bias ? a.bias[i] : 0.0f;
    out[i] = (x[i] - mean) * scale * weight + bias;
  }
}

struct Gather {
  const float* x;
  const u32* rows;
  float* out;
  u32 width, x_stride, out_stride;
};

// out[i] = x[rows[i]]
KERNEL(gather_rows, 256, Gather) {
  const float* x = a.x + (u64)a.rows[blockIdx.x] * a.x_stride;
  float* out = a.out + (u64)blockIdx.x * a.out_stride;
  for (u32 i = threadIdx.x; i < a.width; i += blockDim.x) out[i] = x[i];
}

struct Narrow {
  const float* x;
  void* out;
  // Null, or for each element of `out` the one of x that it is.
  const u32* order;
  u32 stride;
};

// out[r] = x[r] in the type of the weights, what fills up the row included.
template <class E>
__device__ __forceinline__ void narrow(const Narrow& a) {
  const u64 first = (u64)blockIdx.x * a.stride;
  const float* x = a.x + first;
  typename E::Stored* out = (typename E::Stored*)a.out + first;
  for (u32 i = threadIdx.x; i < a.stride; i += blockDim.x) out[i] = E::narrow(x[a.order ? a.order[i] : i]);
}

KERNEL(narrow_f32, 256, Narrow) { narrow<F32>(a); }
KERNEL(narrow_f16, 256, Narrow) { narrow<F16>(a); }
KERNEL(narrow_bf16, 256, Narrow) { narrow<BF16>(a); }
