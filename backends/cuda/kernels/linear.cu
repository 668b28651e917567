// Products of 1 to 16 rows with a matrix of weights, and what follows a product.
//
// With so few rows a product is bound by reading the weights, which are read once and in loads of 16 bytes. A warp has a few
// outputs (rows of the matrix); its lanes take 16 bytes each along the row, multiply them with all rows of x, and sum over the warp at
// the end. x is small and comes from the caches. Loads of the outputs of a warp don't depend on each other, so
// OUTPUTS * UNROLL of them are in flight in each lane.
//
// What a row gives doesn't depend on how many rows there are: each output of each row is one chain of multiply-adds, in the order
// of the row, and the same sum over the lanes.

struct Linear {
  const float* x;
  const void* weight;
  const float* bias;
  float* out;
  // Of all parts together. A gate has two halves: its functions' and its factors'.
  u32 outputs;
  u32 rows, stride, out_stride, function, gate;
};

template <class E, int ROWS, int OUTPUTS, int UNROLL>
__device__ __forceinline__ void linear(const Linear& a) {
  const u32 warp = blockIdx.x * (blockDim.x / WARP) + warp_of();
  // Of a gate, half of a warp's outputs are functions, and the other half their factors.
  const u32 results = a.gate ? a.outputs / 2 : a.outputs;
  const u32 each = a.gate ? OUTPUTS / 2 : OUTPUTS;
  const u32 first = warp * each;
  if (first >= results) return;

  const typename E::Stored* weight[OUTPUTS];
  u32 output[OUTPUTS];
#pragma unroll
  for (int o = 0; o < OUTPUTS; o++) {
    const u32 half = a.gate && o >= OUTPUTS / 2;
    const u32 result = first + (half ? o - OUTPUTS / 2 : o);
    // Past the end the last one is computed again, and not written.
    output[o] = (result < results ? result : results - 1) + (half ? results : 0);
    weight[o] = (const typename E::Stored*)a.weight + (u64)output[o] * a.stride;
  }
  const float* x[ROWS];
#pragma unroll
  for (u32 r = 0; r < ROWS; r++) x[r] = a.x + (u64)(r < a.rows ? r : a.rows - 1) * a.stride;

  float sum[OUTPUTS][ROWS];
#pragma unroll
  for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
    for (int r = 0; r < ROWS; r++) sum[o][r] = 0.0f;

  const u32 step = WARP * E::COUNT;
  for (u32 start = lane_of() * E::COUNT; start < a.stride; start += UNROLL * step) {
    uint4 loaded[UNROLL][OUTPUTS];
#pragma unroll
    for (int n = 0; n < UNROLL; n++) {
      const u32 at = start + n * step;
#pragma unroll
      for (int o = 0; o < OUTPUTS; o++) loaded[n][o] = load_once(weight[o] + (at < a.stride ? at : start));
    }
#pragma unroll
    for (int n = 0; n < UNROLL; n++) {
      const u32 at = start + n * step;
      if (at >= a.stride) break;
      float w[OUTPUTS][E::COUNT];
#pragma unroll
      for (int o = 0; o < OUTPUTS; o++) E::spread(loaded[n][o], w[o]);
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        float values[E::COUNT];
        load_floats<E::COUNT>(x[r] + at, values);
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
          for (int i = 0; i < E::COUNT; i++) sum[o][r] = fmaf(w[o][i], values[i], sum[o][r]);
      }
    }
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
    if (a.bias) mine[o] += a.bias[output[o]];
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

// The more rows, the more outputs share what is read of x, and the fewer loads of weights are needed in flight.
#define LINEAR(name, E)                                            \
  KERNEL(linear_##name##_1, 256, Linear) { linear<E, 1, 2, 4>(a); } \
  KERNEL(linear_##name##_2, 256, Linear) { linear<E, 2, 2, 4>(a); } \
  KERNEL(linear_##name##_4, 256, Linear) { linear<E, 4, 4, 2>(a); } \
  KERNEL(linear_##name##_8, 256, Linear) { linear<E, 8, 4, 1>(a); } \
  KERNEL(linear_##name##_16, 256, Linear) { linear<E, 16, 4, 1>(a); }

LINEAR(f32, F32)
LINEAR(f16, F16)
LINEAR(bf16, BF16)

struct Finish {
  const float* product;
  const float* bias;
  float* out;
  u32 outputs, product_stride, out_stride, function, gate;
};

// What follows a product that something else has computed: out = activate(product + bias), gated or not. `out` may be `product` where
// there is no gate.
KERNEL(finish, 256, Finish) {
  const float* product = a.product + (u64)blockIdx.y * a.product_stride;
  float* out = a.out + (u64)blockIdx.y * a.out_stride;
  const u32 results = a.gate ? a.outputs / 2 : a.outputs;
  const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= results) return;
  float x = activate(a.function, product[i] + (a.bias ? a.bias[i] : 0.0f));
  if (a.gate) x *= product[i + results] + (a.bias ? a.bias[i + results] : 0.0f);
  out[i] = x;
}
