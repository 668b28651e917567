// Keys and values: heads are normalised and rotated (RoPE) on their way into the pages of the KV cache, and pages are copied.
//
// The cache of a layer, of keys and of values apart, is [page][kv head][token of the page][element]; heads are filled up with
// zeros to a multiple of 8 elements.

struct HeadNorm {
  const float* weight;
  const float* bias;
  float epsilon;
  // 0: none, 1: RMS, 2: layer
  u32 kind;
};

struct StoreKv {
  float* qkv;
  const u32* positions;
  const u32* slots;
  const float* rotation;
  void* keys;
  void* values;
  HeadNorm query_norm, key_norm;
  u32 heads, kv_heads, head_dim, cache_dim, stride, rotated;
};

// Pairs of elements that a lane has of a head, half of it apart: enough for heads of 256.
#define PAIRS 4

// A warp has a head of a row, in registers: lane l has elements l, l + 32, ... of each half.
template <class E>
__device__ __forceinline__ void store_kv(const StoreKv& a) {
  const u32 head = blockIdx.y * (blockDim.x / WARP) + warp_of();
  const u32 row = blockIdx.x;
  if (head >= a.heads + 2 * a.kv_heads) return;
  float* x = a.qkv + (u64)row * a.stride + (u64)head * a.head_dim;
  const bool is_query = head < a.heads;
  const bool is_value = head >= a.heads + a.kv_heads;
  const u32 half = (a.head_dim + 1) / 2;
  const u32 slot = a.slots[row], position = a.positions[row];

  // Where the row is, and how it is turned, is found while the kernel before this one ends, which writes it.
  const bool rotated = !is_value && a.rotated;
  float cosine[PAIRS], sine[PAIRS];
  if (rotated) {
    const float* table = a.rotation + (u64)position * a.head_dim;
#pragma unroll
    for (u32 n = 0; n < PAIRS; n++) {
      const u32 i = lane_of() + n * WARP;
      cosine[n] = i < half ? table[i] : 0.0f;
      sine[n] = i < half ? table[i + half] : 0.0f;
    }
  }
  wait_for_previous();
  float low[PAIRS], high[PAIRS];
#pragma unroll
  for (u32 n = 0; n < PAIRS; n++) {
    const u32 i = lane_of() + n * WARP;
    low[n] = i < half ? x[i] : 0.0f;
    high[n] = i + half < a.head_dim ? x[i + half] : 0.0f;
  }

  const HeadNorm& norm = is_query ? a.query_norm : a.key_norm;
  const bool normed = !is_value && norm.kind != 0;
  if (normed) {
    float weight_low[PAIRS], weight_high[PAIRS], bias_low[PAIRS], bias_high[PAIRS];
#pragma unroll
    for (u32 n = 0; n < PAIRS; n++) {
      const u32 i = lane_of() + n * WARP;
      weight_low[n] = norm.weight && i < half ? norm.weight[i] : 1.0f;
      weight_high[n] = norm.weight && i + half < a.head_dim ? norm.weight[i + half] : 1.0f;
      bias_low[n] = norm.bias && i < half ? norm.bias[i] : 0.0f;
      bias_high[n] = norm.bias && i + half < a.head_dim ? norm.bias[i + half] : 0.0f;
    }
    float sum = 0.0f, squares = 0.0f;
#pragma unroll
    for (u32 n = 0; n < PAIRS; n++) sum += low[n] + high[n];
    const float mean = norm.kind == 2 ? warp_sum(sum) / (float)a.head_dim : 0.0f;
#pragma unroll
    for (u32 n = 0; n < PAIRS; n++) {
      const u32 i = lane_of() + n * WARP;
      if (i < half) squares += (low[n] - mean) * (low[n] - mean);
      if (i + half < a.head_dim) squares += (high[n] - mean) * (high[n] - mean);
    }
    const float scale = 1.0f / sqrtf(warp_sum(squares) / (float)a.head_dim + norm.epsilon);
#pragma unroll
    for (u32 n = 0; n < PAIRS; n++) {
      low[n] = (low[n] - mean) * scale * weight_low[n] + bias_low[n];
      high[n] = (high[n] - mean) * scale * weight_high[n] + bias_high[n];
    }
  }
  if (rotated) {
#pragma unroll
    for (u32 n = 0; n < PAIRS; n++) {
      const float before = low[n];
      low[n] = before * cosine[n] - high[n] * sine[n];
      high[n] = high[n] * cosine[n] + before * sine[n];
    }
  }

  if (is_query) {
    if (!normed && !rotated) return;
#pragma unroll
    for (u32 n = 0; n < PAIRS; n++) {
      const u32 i = lane_of() + n * WARP;
      if (i < half) x[i] = low[n];
      if (i + half < a.head_dim) x[i + half] = high[n];
    }
    return;
  }
  if (slot == NONE) return;
  const u32 kv_head = head - a.heads - (is_value ? a.kv_heads : 0);
  const u64 place = ((u64)(slot / PAGE) * a.kv_heads + kv_head) * PAGE + slot % PAGE;
  typename E::Stored* to = (typename E::Stored*)(is_value ? a.values : a.keys) + place * a.cache_dim;
#pragma unroll
  for (u32 n = 0; n < PAIRS; n++) {
    const u32 i = lane_of() + n * WARP;
    if (i < half) to[i] = E::narrow(low[n]);
    if (i + half < a.head_dim) to[i + half] = E::narrow(high[n]);
  }
}

EARLY_KERNEL(store_kv_f32, 128, 1, StoreKv) { store_kv<F32>(a); }
EARLY_KERNEL(store_kv_f16, 128, 1, StoreKv) { store_kv<F16>(a); }
EARLY_KERNEL(store_kv_bf16, 128, 1, StoreKv) { store_kv<BF16>(a); }

struct CopyPage {
  uint4* cache;
  // Of the keys or values of one layer, and of a page of them, in units of 16 bytes.
  u64 layer_stride, page_size;
  u32 from, to;
};

// Copies a page in all layers: a row of blocks has the keys or the values of one.
KERNEL(copy_page, 256, CopyPage) {
  uint4* layer = a.cache + blockIdx.y * a.layer_stride;
  const u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < a.page_size) layer[a.to * a.page_size + i] = layer[a.from * a.page_size + i];
}
