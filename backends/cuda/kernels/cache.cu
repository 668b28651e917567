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

// A warp has a head of a row; lanes come back to elements of others, so there are barriers of the warp between the parts.
template <class E>
__device__ __forceinline__ void store_kv(const StoreKv& a) {
  const u32 head = blockIdx.y * (blockDim.x / WARP) + warp_of();
  const u32 row = blockIdx.x;
  if (head >= a.heads + 2 * a.kv_heads) return;
  float* x = a.qkv + (u64)row * a.stride + (u64)head * a.head_dim;
  const bool is_query = head < a.heads;
  const bool is_value = head >= a.heads + a.kv_heads;

  const HeadNorm& norm = is_query ? a.query_norm : a.key_norm;
  if (!is_value && norm.kind != 0) {
    float mean = 0.0f;
    if (norm.kind == 2) {
      float sum = 0.0f;
      for (u32 i = lane_of(); i < a.head_dim; i += WARP) sum += x[i];
      mean = warp_sum(sum) / (float)a.head_dim;
    }
    float squares = 0.0f;
    for (u32 i = lane_of(); i < a.head_dim; i += WARP) squares += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / sqrtf(warp_sum(squares) / (float)a.head_dim + norm.epsilon);
    for (u32 i = lane_of(); i < a.head_dim; i += WARP) {
      const float weight = norm.weight ? norm.weight[i] : 1.0f;
      x[i] = (x[i] - mean) * scale * weight + (norm.bias ? norm.bias[i] : 0.0f);
    }
    __syncwarp();
  }
  if (!is_value && a.rotated) {
    const u32 half = a.head_dim / 2;
    const float* cosines = a.rotation + (u64)a.positions[row] * a.head_dim;
    const float* sines = cosines + half;
    for (u32 i = lane_of(); i < half; i += WARP) {
      const float low = x[i], high = x[i + half];
      x[i] = low * cosines[i] - high * sines[i];
      x[i + half] = high * cosines[i] + low * sines[i];
    }
    __syncwarp();
  }
  const u32 slot = a.slots[row];
  if (is_query || slot == NONE) return;
  const u32 kv_head = head - a.heads - (is_value ? a.kv_heads : 0);
  const u64 place = ((u64)(slot / PAGE) * a.kv_heads + kv_head) * PAGE + slot % PAGE;
  typename E::Stored* to = (typename E::Stored*)(is_value ? a.values : a.keys) + place * a.cache_dim;
  for (u32 i = lane_of(); i < a.head_dim; i += WARP) to[i] = E::narrow(x[i]);
}

KERNEL(store_kv_f32, 128, StoreKv) { store_kv<F32>(a); }
KERNEL(store_kv_f16, 128, StoreKv) { store_kv<F16>(a); }
KERNEL(store_kv_bf16, 128, StoreKv) { store_kv<BF16>(a); }

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
