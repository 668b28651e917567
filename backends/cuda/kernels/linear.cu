// Products of 1 to 16 rows with a matrix of weights, and what follows a product. (linear_mma.cu takes what it can of those that this would
// take too long for.)
//
// With so few rows a product is bound by reading the weights, which are read once and in loads of 16 bytes (weights of 8 bits in 8, of 4 bits
// in 4). A warp has a few outputs (rows of the matrix); its lanes take as much each along the row, multiply it with all rows of x, and sum
// over the warp at the end. x is small and comes from the caches. Loads of the outputs of a warp don't depend on each other, so
// OUTPUTS * UNROLL of them are in flight in each lane.
//
// What a row gives doesn't depend on how many rows there are: each output of each row is one chain of multiply-adds (of weights that
// have scales along a row, of sums of eight), in the order of the row, and the same sum over the lanes.

// The product of what is loaded at once with some of a row.
template <int COUNT>
__device__ __forceinline__ float multiplied(const float* w, const float* x) {
  float sum = w[0] * x[0];
#pragma unroll
  for (int i = 1; i < COUNT; i++) sum = fmaf(w[i], x[i], sum);
  return sum;
}

// The weights of an output: what is loaded of them at once, and how that adds to a sum of products.
template <class E>
struct Weights {
  const typename E::Stored* at;
  __device__ __forceinline__ void find(const Linear& a, u32 output) {
    at = (const typename E::Stored*)a.weight + (u64)output * a.stride;
  }
  __device__ __forceinline__ typename E::Loaded load(u32 i) const { return E::load(at + i); }
  static __device__ __forceinline__ float multiply(typename E::Loaded, const float* w, const float* x, float sum) {
#pragma unroll
    for (int i = 0; i < E::COUNT; i++) sum = fmaf(w[i], x[i], sum);
    return sum;
  }
};

// The scale is the same for all that is loaded at once, and so is put to their sum. Where an output begins is kept as words before it: an
// address would take twice the registers.
template <>
struct Weights<I4> {
  const u32* weight;
  const u32* groups;
  u32 first, first_group, shift;
  __device__ __forceinline__ void find(const Linear& a, u32 output) {
    weight = (const u32*)a.weight;
    groups = a.groups;
    first = output * (a.stride / I4::COUNT);
    first_group = output * a.groups_stride;
    shift = a.shift;
  }
  __device__ __forceinline__ uint2 load(u32 i) const {
    uint2 v;
    v.x = load_once_4(weight + (first + i / I4::COUNT));
    v.y = groups[first_group + (i >> shift)];
    return v;
  }
  static __device__ __forceinline__ float multiply(uint2 loaded, const float* w, const float* x, float sum) {
    return fmaf(I4::scale(loaded.y), multiplied<I4::COUNT>(w, x), sum);
  }
};

// Weights of 8 bits whose scale is that of their block. Where an output begins is kept as for those of 4 bits.
template <>
struct Weights<F8Blocks> {
  const uint2* weight;
  const u32* scales;
  u32 first, first_scale, shift;
  __device__ __forceinline__ void find(const Linear& a, u32 output) {
    weight = (const uint2*)a.weight;
    scales = a.groups;
    first = output * (a.stride / F8Blocks::COUNT);
    first_scale = (output >> a.row_shift) * a.groups_stride;
    shift = a.shift;
  }
  __device__ __forceinline__ F8Blocks::Loaded load(u32 i) const {
    F8Blocks::Loaded v;
    v.bits = load_once_8(weight + (first + i / F8Blocks::COUNT));
    v.scale = __uint_as_float(scales[first_scale + (i >> shift)]);
    return v;
  }
  static __device__ __forceinline__ float multiply(F8Blocks::Loaded loaded, const float* w, const float* x, float sum) {
    return fmaf(loaded.scale, multiplied<F8Blocks::COUNT>(w, x), sum);
  }
};

// UNROLL loads of each output. There is no branch between them: the compiler would put them behind it, and have one after the other in flight.
template <class E, int OUTPUTS, int UNROLL>
__device__ __forceinline__ void load_weights(const Weights<E>* weight, u32 start, typename E::Loaded (*loaded)[OUTPUTS]) {
#pragma unroll
  for (int n = 0; n < UNROLL; n++)
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++) loaded[n][o] = weight[o].load(start + n * WARP * E::COUNT);
}

// Adds what they are worth.
template <class E, int ROWS, int OUTPUTS, int UNROLL>
__device__ __forceinline__ void add_products(const Linear& a, const typename E::Loaded (*loaded)[OUTPUTS], const u32* x, u32 start,
                                             float (*sum)[ROWS]) {
  const u32 step = WARP * E::COUNT;
#pragma unroll
  for (int n = 0; n < UNROLL; n++) {
    float w[OUTPUTS][E::COUNT];
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++) E::spread(loaded[n][o], w[o]);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float values[E::COUNT];
      load_floats<E::COUNT>(a.x + (x[r] + start + n * step), values);
#pragma unroll
      for (int o = 0; o < OUTPUTS; o++) sum[o][r] = Weights<E>::multiply(loaded[n][o], w[o], values, sum[o][r]);
    }
  }
}

template <class E, int ROWS, int OUTPUTS, int UNROLL>
__device__ __forceinline__ void linear(const Linear& a) {
  const u32 warp = blockIdx.x * (blockDim.x / WARP) + warp_of();
  // Of a gate, half of a warp's outputs are functions, and the other half their factors.
  const u32 results = a.gate ? a.outputs / 2 : a.outputs;
  const u32 each = a.gate ? OUTPUTS / 2 : OUTPUTS;
  const u32 first = warp * each;

  Weights<E> weight[OUTPUTS];
  u32 output[OUTPUTS];
#pragma unroll
  for (int o = 0; o < OUTPUTS; o++) {
    const u32 half = a.gate && o >= OUTPUTS / 2;
    const u32 result = first + (half ? o - OUTPUTS / 2 : o);
    // Past the end the last one is computed again, and not written.
    output[o] = (result < results ? result : results - 1) + (half ? results : 0);
    weight[o].find(a, output[o]);
  }
  // Where rows of x begin, as floats before them: addresses would take twice the registers.
  u32 x[ROWS];
#pragma unroll
  for (u32 r = 0; r < ROWS; r++) x[r] = (r < a.rows ? r : a.rows - 1) * a.stride;

  float sum[OUTPUTS][ROWS];
#pragma unroll
  for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
    for (int r = 0; r < ROWS; r++) sum[o][r] = 0.0f;

  const u32 step = WARP * E::COUNT;
  const u32 begin = lane_of() * E::COUNT;
  u32 start = begin;
  typename E::Loaded loaded[UNROLL][OUTPUTS];
  // What is loaded first is on its way while the kernel before this one ends, which x may come from.
  if (start + (UNROLL - 1) * step < a.stride) load_weights<E, OUTPUTS, UNROLL>(weight, start, loaded);
  wait_for_previous();
  if (first >= results) return;
  for (; start + (UNROLL - 1) * step < a.stride; start += UNROLL * step) {
    if (start > begin) load_weights<E, OUTPUTS, UNROLL>(weight, start, loaded);
    add_products<E, ROWS, OUTPUTS, UNROLL>(a, loaded, x, start, sum);
  }
  for (; start < a.stride; start += step) {
    load_weights<E, OUTPUTS, 1>(weight, start, loaded);
    add_products<E, ROWS, OUTPUTS, 1>(a, loaded, x, start, sum);
  }

  // Every lane has all sums. Each of the first lanes goes on with those of the row of its number.
  float mine[OUTPUTS];
#pragma unroll
  for (int o = 0; o < OUTPUTS; o++) {
    mine[o] = 0.0f;
#pragma unroll
    for (u32 r = 0; r < ROWS; r++) {
      const float all = warp_sum(sum[o][r]);
      if (lane_of() == r) mine[o] = all;
    }
    mine[o] = finished(a, mine[o], output[o]);
  }
  if (lane_of() >= ROWS || lane_of() >= a.rows) return;
  float* out = a.out + (u64)lane_of() * a.out_stride + first;
  if (a.gate) {
#pragma unroll
    for (int o = 0; o < OUTPUTS / 2; o++)
      if (first + o < results) out[o] = activate(a.function, mine[o]) * mine[o + OUTPUTS / 2];
  } else {
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++)
      if (first + o < results) out[o] = activate(a.function, mine[o]);
  }
}

// With three blocks on a multiprocessor, the projections of a model are one wave of blocks, or many. With two rows there are registers for two.
//
// The more rows, the more outputs share what is read of x, as far as there are registers, and the fewer loads of weights are needed in
// flight.
#define LINEAR(name, E)                                            \
  EARLY_KERNEL(linear_##name##_1, 256, 3, Linear) { linear<E, 1, 2, 4>(a); } \
  EARLY_KERNEL(linear_##name##_2, 256, 2, Linear) { linear<E, 2, 2, 4>(a); } \
  EARLY_KERNEL(linear_##name##_4, 256, 1, Linear) { linear<E, 4, 4, 2>(a); } \
  EARLY_KERNEL(linear_##name##_8, 256, 1, Linear) { linear<E, 8, 4, 1>(a); } \
  EARLY_KERNEL(linear_##name##_16, 256, 1, Linear) { linear<E, 16, 2, 2>(a); }

LINEAR(f32, F32)
LINEAR(f16, F16)
LINEAR(bf16, BF16)

// Loads of 8 bytes: twice as many of them in flight, as far as there are registers.
EARLY_KERNEL(linear_f8_1, 256, 3, Linear) { linear<F8, 1, 2, 8>(a); }
EARLY_KERNEL(linear_f8_2, 256, 2, Linear) { linear<F8, 2, 2, 8>(a); }
EARLY_KERNEL(linear_f8_4, 256, 1, Linear) { linear<F8, 4, 4, 4>(a); }
EARLY_KERNEL(linear_f8_8, 256, 1, Linear) { linear<F8, 8, 4, 2>(a); }
EARLY_KERNEL(linear_f8_16, 256, 1, Linear) { linear<F8, 16, 2, 2>(a); }

// A third word is loaded with each eight numbers, which comes from the caches.
EARLY_KERNEL(linear_f8_blocks_1, 256, 3, Linear) { linear<F8Blocks, 1, 2, 8>(a); }
EARLY_KERNEL(linear_f8_blocks_2, 256, 1, Linear) { linear<F8Blocks, 2, 2, 8>(a); }
EARLY_KERNEL(linear_f8_blocks_4, 256, 1, Linear) { linear<F8Blocks, 4, 4, 4>(a); }
EARLY_KERNEL(linear_f8_blocks_8, 256, 1, Linear) { linear<F8Blocks, 8, 4, 2>(a); }
EARLY_KERNEL(linear_f8_blocks_16, 256, 1, Linear) { linear<F8Blocks, 16, 2, 2>(a); }

struct Widen {
  const unsigned char* weight;
  u16* out;
  // Numbers, a multiple of 8.
  u64 count;
};

// What F8 spreads, as bf16, which is exact: for products of more rows.
KERNEL(widen_f8, 256, Widen) {
  const u64 at = ((u64)blockIdx.x * blockDim.x + threadIdx.x) * F8::COUNT;
  if (at >= a.count) return;
  float values[F8::COUNT];
  F8::spread(F8::load(a.weight + at), values);
  uint4 packed;
  packed.x = BF16::pack(values[0], values[1]);
  packed.y = BF16::pack(values[2], values[3]);
  packed.z = BF16::pack(values[4], values[5]);
  packed.w = BF16::pack(values[6], values[7]);
  *(uint4*)(a.out + at) = packed;
}

// Few outputs of a warp read x too often beside so small weights, and many take too many registers.
EARLY_KERNEL(linear_i4_1, 256, 2, Linear) { linear<I4, 1, 4, 4>(a); }
EARLY_KERNEL(linear_i4_2, 256, 2, Linear) { linear<I4, 2, 4, 2>(a); }
EARLY_KERNEL(linear_i4_4, 256, 1, Linear) { linear<I4, 4, 4, 4>(a); }
EARLY_KERNEL(linear_i4_8, 256, 1, Linear) { linear<I4, 8, 4, 2>(a); }
EARLY_KERNEL(linear_i4_16, 256, 1, Linear) { linear<I4, 16, 2, 2>(a); }

struct WidenGroups {
  const unsigned char* weight;
  const u32* groups;
  u16* out;
  // The first output that is widened.
  u32 first;
  u32 stride, groups_stride, row_shift, shift;
};

// Eight weights with their scale, each rounded once.
template <class E>
__device__ __forceinline__ void write_widened(u16* out, const float* values, float scale) {
  uint4 packed;
  packed.x = E::pack(values[0] * scale, values[1] * scale);
  packed.y = E::pack(values[2] * scale, values[3] * scale);
  packed.z = E::pack(values[4] * scale, values[5] * scale);
  packed.w = E::pack(values[6] * scale, values[7] * scale);
  *(uint4*)out = packed;
}

// Weights that share words along a row. A block has some of an output's.
template <class E>
__device__ __forceinline__ void widen_groups(const WidenGroups& a) {
  const u32 at = (blockIdx.y * blockDim.x + threadIdx.x) * I4::COUNT;
  if (at >= a.stride) return;
  const u64 output = a.first + blockIdx.x;
  uint2 v;
  v.x = load_once_4(a.weight + (output * a.stride + at) / 2);
  v.y = a.groups[(output >> a.row_shift) * a.groups_stride + (at >> a.shift)];
  float values[I4::COUNT];
  I4::spread(v, values);
  write_widened<E>(a.out + (u64)blockIdx.x * a.stride + at, values, I4::scale(v.y));
}

KERNEL(widen_i4_f16, 256, WidenGroups) { widen_groups<F16>(a); }
KERNEL(widen_i4_bf16, 256, WidenGroups) { widen_groups<BF16>(a); }

KERNEL(widen_f8_blocks, 256, WidenGroups) {
  const u32 at = (blockIdx.y * blockDim.x + threadIdx.x) * F8::COUNT;
  if (at >= a.stride) return;
  const u64 output = a.first + blockIdx.x;
  float values[F8::COUNT];
  F8::spread(F8::load(a.weight + output * a.stride + at), values);
  const float scale = __uint_as_float(a.groups[(output >> a.row_shift) * a.groups_stride + (at >> a.shift)]);
  write_widened<BF16>(a.out + (u64)blockIdx.x * a.stride + at, values, scale);
}

struct Finish {
  const float* product;
  const float* scale;
  const float* bias;
  void* out;
  u32 outputs, product_stride, out_stride, function, gate, out_kind;
};

// What follows a product that something else has computed: out = activate(product * scale + bias), gated or not. `out` may be `product` where
// there is no gate. A thread has four results side by side.
KERNEL(finish, 256, Finish) {
  const float* product = a.product + (u64)blockIdx.y * a.product_stride;
  const u64 out = (u64)blockIdx.y * a.out_stride;
  const u32 results = a.gate ? a.outputs / 2 : a.outputs;
  const u32 first = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (first >= results) return;
  const bool whole = first + 4 <= results && (!a.gate || results % 4 == 0);
  float x[4], factor[4];
  if (whole) {
    load_floats<4>(product + first, x);
    if (a.gate) load_floats<4>(product + results + first, factor);
  } else {
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
      const u32 at = min(first + i, results - 1);
      x[i] = product[at];
      if (a.gate) factor[i] = product[at + results];
    }
  }
#pragma unroll
  for (u32 i = 0; i < 4; i++) {
    const u32 at = min(first + i, results - 1);
    x[i] = activate(a.function, finished(a, x[i], at));
    if (a.gate) x[i] *= finished(a, factor[i], at + results);
  }
  if (whole) return store_activations<4>(a.out, out + first, a.out_kind, x);
#pragma unroll
  for (u32 i = 0; i < 4; i++)
    if (first + i < results) store_activations<1>(a.out, out + first + i, a.out_kind, x + i);
}
