// What is done to each row of activations by itself: embedding, norms with the residual sum before them, gathering, and the
// narrowing to 16 bits that tensor cores want. All are bound by memory and small beside the weights; a block has a row.

// Four elements of a row of `width`, zeros past its end.
__device__ __forceinline__ void load_four(const float* from, u32 at, u32 width, float* out) {
  if (at + 4 <= width) {
    F32::spread(*(const uint4*)(from + at), out);
    return;
  }
#pragma unroll
  for (u32 i = 0; i < 4; i++) out[i] = at + i < width ? from[at + i] : 0.0f;
}

__device__ __forceinline__ void store_four(float* to, u32 at, u32 width, const float* from) {
  if (at + 4 <= width) return store_activations<4>(to, at, 0, from);
#pragma unroll
  for (u32 i = 0; i < 4; i++)
    if (at + i < width) to[at + i] = from[i];
}

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
  for (u32 at = threadIdx.x * E::COUNT; at < a.width; at += blockDim.x * E::COUNT) {
    float values[E::COUNT];
    E::spread(load_once(from + at), values);
#pragma unroll
    for (u32 i = 0; i < E::COUNT; i += 4) {
      if (at + i >= a.width) continue;
      if (ADD) {
        float before[4];
        load_four(out, at + i, a.width, before);
#pragma unroll
        for (int n = 0; n < 4; n++) values[i + n] += before[n];
      }
      store_four(out, at + i, a.width, values + i);
    }
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
  void* out;
  u32 width, x_stride, delta_stride, out_stride;
  float epsilon;
  u32 centred, out_kind;
};

#define NORM_THREADS 1024

// x[r] += delta[r] (if there is a delta); out[r] = norm(x[r]) (if there is an out).
//
// The row stays in registers, and all that is read is on its way before anything is waited for: at one row this is nothing but waiting.
template <int N>
__device__ __forceinline__ void norm_rows(const NormRows& a) {
  __shared__ float room[WARP];
  float* x = a.x + (u64)blockIdx.x * a.x_stride;
  const float* delta = a.delta + (u64)blockIdx.x * a.delta_stride;
  const u32 first = threadIdx.x * 4, step = NORM_THREADS * 4;
  float row[N][4], added[N][4], weight[N][4], bias[N][4];
#pragma unroll
  for (int n = 0; n < N; n++) {
    const u32 at = first + n * step;
    if (at >= a.width) continue;
    load_four(x, at, a.width, row[n]);
    if (a.delta) load_four(delta, at, a.width, added[n]);
    // Of long rows there are not registers enough.
    if (N <= 2 && a.weight) load_four(a.weight, at, a.width, weight[n]);
    if (N <= 2 && a.bias) load_four(a.bias, at, a.width, bias[n]);
  }
  float sum = 0.0f;
#pragma unroll
  for (int n = 0; n < N; n++) {
    const u32 at = first + n * step;
    if (at >= a.width) continue;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (a.delta) row[n][i] += added[n][i];
      sum += row[n][i];
    }
    if (a.delta) store_four(x, at, a.width, row[n]);
  }
  if (!a.out) return;
  const float mean = a.centred ? block_sum(sum, room) / (float)a.width : 0.0f;
  float squares = 0.0f;
#pragma unroll
  for (int n = 0; n < N; n++)
#pragma unroll
    for (u32 i = 0; i < 4; i++)
      if (first + n * step + i < a.width) squares += (row[n][i] - mean) * (row[n][i] - mean);
  const float scale = 1.0f / sqrtf(block_sum(squares, room) / (float)a.width + a.epsilon);
  const u64 out = (u64)blockIdx.x * a.out_stride;
#pragma unroll
  for (int n = 0; n < N; n++) {
    const u32 at = first + n * step;
    if (at >= a.width) continue;
    if (N > 2 && a.weight) load_four(a.weight, at, a.width, weight[n]);
    if (N > 2 && a.bias) load_four(a.bias, at, a.width, bias[n]);
#pragma unroll
    for (int i = 0; i < 4; i++) row[n][i] = (row[n][i] - mean) * scale * (a.weight ? weight[n][i] : 1.0f) + (a.bias ? bias[n][i] : 0.0f);
    // What ends within four is of floats.
    if (at + 4 <= a.width)
      store_activations<4>(a.out, out + at, a.out_kind, row[n]);
    else
      store_four((float*)a.out + out, at, a.width, row[n]);
  }
}

// Of rows of up to 4096, 8192 and 16384 elements.
KERNEL(norm_rows_1, NORM_THREADS, NormRows) { norm_rows<1>(a); }
KERNEL(norm_rows_2, NORM_THREADS, NormRows) { norm_rows<2>(a); }
KERNEL(norm_rows_4, NORM_THREADS, NormRows) { norm_rows<4>(a); }

struct Gather {
  const float* x;
  const u32* rows;
  float* out;
  u32 width, x_stride, out_stride;
};

// out[i] = x[rows[i]]
KERNEL(gather_rows, 1024, Gather) {
  const float* x = a.x + (u64)a.rows[blockIdx.x] * a.x_stride;
  float* out = a.out + (u64)blockIdx.x * a.out_stride;
  for (u32 at = threadIdx.x * 4; at < a.width; at += blockDim.x * 4) {
    float four[4];
    load_four(x, at, a.width, four);
    store_four(out, at, a.width, four);
  }
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
  if (a.order) {
    for (u32 i = threadIdx.x; i < a.stride; i += blockDim.x) out[i] = E::narrow(x[a.order[i]]);
    return;
  }
  for (u32 i = threadIdx.x * 4; i < a.stride; i += blockDim.x * 4) {
    float four[4];
    load_floats<4>(x + i, four);
    store_activations<4>(out, i, E::KIND, four);
  }
}

KERNEL(narrow_f32, 256, Narrow) { narrow<F32>(a); }
KERNEL(narrow_f16, 256, Narrow) { narrow<F16>(a); }
KERNEL(narrow_bf16, 256, Narrow) { narrow<BF16>(a); }
