// What all kernels stand on: types of elements, wide loads, sums over a warp and over a block.
//
// It is put in front of each .cu file before that is compiled. There are no other headers, so that NVRTC needs none: 16-bit
// numbers are kept as integers and widened here.
//
// A kernel takes one structure by value. `KERNEL(name, threads, Structure)` begins its definition; in it the structure is
// called `a`.
//
// From compute capability 9.0 on a kernel may begin while the one before it still runs ("programmatic dependent launch", CUDA
// Programming Guide): it is launched while blocks of that one end, and waits for all of them and what they wrote before anything else. An
// EARLY_KERNEL says itself when it waits: until then it may read what no kernel writes, weights and the lists of a step, and nothing else.
// It says how many blocks a multiprocessor must have registers for, too.
// So there is no gap between kernels in which memory has nothing to do.
//
// The same sources are compiled by a C++ compiler for tests (emulator/src/emulator.h), which gives EARLY_KERNEL, DYNAMIC_SHARED
// and the few functions with inline PTX another meaning.
//
// Rows of activations and of weights begin at multiples of 8 elements, and what fills a row up to that is zero. So all loads
// along a row can be wide ones, without a special case for the end of the row.

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define WARP 32
#define ALL_LANES 0xffffffffu
#define NONE 0xffffffffu
// Tokens in a page of the KV cache.
#define PAGE 16
#define LARGEST 3.402823466e+38f

#ifndef JIG_EMULATED

#define EARLY_KERNEL(name, threads, blocks, Structure) \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ Structure a)
#define DYNAMIC_SHARED(name) extern __shared__ __align__(16) float name[]

// Waits for the kernel before this one, and lets the next one begin as soon as all blocks of this one are here.
__device__ __forceinline__ void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n\tgriddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// 16 bytes of what never changes, and is read once: they take no room in the first cache.
__device__ __forceinline__ uint4 load_once(const void* at) {
  uint4 v;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
      : "l"(at));
  return v;
}

// The same with 8.
__device__ __forceinline__ uint2 load_once_8(const void* at) {
  uint2 v;
  asm("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(at));
  return v;
}

// 16 bytes that an earlier kernel has written, and that are read once. Never before that kernel is waited for.
__device__ __forceinline__ uint4 load_stored(const void* at) {
  uint4 v;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(at));
  return v;
}

// 4 bytes of what never changes.
__device__ __forceinline__ u32 load_once_4(const void* at) {
  u32 v;
  asm("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(v) : "l"(at));
  return v;
}

__device__ __forceinline__ float widen_f16(u16 bits) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
}

__device__ __forceinline__ u16 narrow_f16(float x) {
  u16 bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}

// Two numbers in a word of bf16, each rounded to nearest.
__device__ __forceinline__ u32 narrow_bf16x2(float low, float high) {
  u32 v;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(high), "f"(low));
  return v;
}

// a b + c of two words with two numbers in f16 each, rounded once.
__device__ __forceinline__ u32 multiply_add_f16x2(u32 a, u32 b, u32 c) {
  u32 v;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(v) : "r"(a), "r"(b), "r"(c));
  return v;
}

// The same with numbers in bf16.
__device__ __forceinline__ u32 multiply_add_bf16x2(u32 a, u32 b, u32 c) {
  u32 v;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(v) : "r"(a), "r"(b), "r"(c));
  return v;
}

// 16 bytes that other blocks of the same grid have written, past the first cache, which doesn't know of it.
__device__ __forceinline__ uint4 load_written(const void* at) {
  uint4 v;
  asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(at)
               : "memory");
  return v;
}

// And 4.
__device__ __forceinline__ float load_written_4(const void* at) {
  float v;
  asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(at) : "memory");
  return v;
}

// 2 to the power of x, to within 2^-22 of it.
__device__ __forceinline__ float power_of_2(float x) {
  float v;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(v) : "f"(x));
  return v;
}

// A place in shared memory, in bytes.
typedef u32 Place;

__device__ __forceinline__ Place place_of(const void* at) {
  Place place;
  asm("{\n .reg .u64 full;\n cvta.to.shared.u64 full, %1;\n cvt.u32.u64 %0, full;\n}" : "=r"(place) : "l"(at));
  return place;
}

// Begins to copy 16 bytes to shared memory, or zeros where they are not real.
__device__ __forceinline__ void copy_async(Place to, const void* from, bool real) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(real ? 16 : 0) : "memory");
}

// Waits for all copies that this thread has begun.
__device__ __forceinline__ void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

// Four matrices of 8 by 8 numbers of 16 bits from shared memory, by all lanes of a warp: lane l gives the place of row l mod 8 of matrix
// l / 8, and gets of each matrix elements 2 (l mod 4) and the next one of row l / 4; transposed, those of column l / 4.
#define LOAD_MATRICES(name, how)                                                                    \
  __device__ __forceinline__ void name(Place row, u32* out) {                                       \
    asm volatile("ldmatrix.sync.aligned.m8n8.x4" how ".shared.b16 {%0, %1, %2, %3}, [%4];"          \
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])                            \
                 : "r"(row)                                                                          \
                 : "memory");                                                                        \
  }
LOAD_MATRICES(load_matrices, "")
LOAD_MATRICES(load_matrices_transposed, ".trans")

// c += a b on tensor cores, by all lanes of a warp: 16 by 16 and 16 by 8 numbers of 16 bits, two in a word, in PTX's layout of
// mma.m16n8k16. And c = a b.
#define MULTIPLY(name, type)                                                                        \
  __device__ __forceinline__ void name(float* c, const u32* a, const u32* b) {                      \
    asm("mma.sync.aligned.m16n8k16.row.col.f32." type "." type ".f32 "                             \
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                           \
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                            \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                        \
  }                                                                                                 \
  __device__ __forceinline__ void name##_only(float* c, const u32* a, const u32* b) {               \
    asm("mma.sync.aligned.m16n8k16.row.col.f32." type "." type ".f32 "                             \
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"                       \
        : "=f"(c[0]), "=f"(c[1]), "=f"(c[2]), "=f"(c[3])                                            \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(0.0f));             \
  }
MULTIPLY(multiply_f16, "f16")
MULTIPLY(multiply_bf16, "bf16")

#endif

#define KERNEL(name, threads, Structure)                                          \
  static __device__ __forceinline__ void name##_after(const Structure& a);        \
  EARLY_KERNEL(name, threads, 1, Structure) {                                     \
    wait_for_previous();                                                          \
    name##_after(a);                                                              \
  }                                                                               \
  static __device__ __forceinline__ void name##_after(const Structure& a)

// Types of elements: how many there are in 16 bytes, and how they become f32 and back (to nearest, to even among equals).

struct F32 {
  typedef float Stored;
  typedef uint4 Loaded;
  static const u32 KIND = 0;
  static const int COUNT = 4;
  static __device__ __forceinline__ uint4 load(const void* at) { return load_once(at); }
  static __device__ __forceinline__ float widen(float x) { return x; }
  static __device__ __forceinline__ float narrow(float x) { return x; }
  static __device__ __forceinline__ void spread(uint4 v, float* out) {
    out[0] = __uint_as_float(v.x);
    out[1] = __uint_as_float(v.y);
    out[2] = __uint_as_float(v.z);
    out[3] = __uint_as_float(v.w);
  }
};

struct F16 {
  typedef u16 Stored;
  typedef uint4 Loaded;
  static const u32 KIND = 1;
  static const int COUNT = 8;
  static __device__ __forceinline__ uint4 load(const void* at) { return load_once(at); }
  static __device__ __forceinline__ float widen(u16 x) { return widen_f16(x); }
  static __device__ __forceinline__ u16 narrow(float x) { return narrow_f16(x); }
  static __device__ __forceinline__ u32 pack(float low, float high) { return narrow(low) | (u32)narrow(high) << 16; }
  static __device__ __forceinline__ void multiply(float* c, const u32* a, const u32* b) { multiply_f16(c, a, b); }
  static __device__ __forceinline__ void multiply_only(float* c, const u32* a, const u32* b) { multiply_f16_only(c, a, b); }
  static __device__ __forceinline__ void spread(uint4 v, float* out) {
    const u32 words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      out[2 * i] = widen_f16((u16)(words[i] & 0xffff));
      out[2 * i + 1] = widen_f16((u16)(words[i] >> 16));
    }
  }
};

struct BF16 {
  typedef u16 Stored;
  typedef uint4 Loaded;
  static const u32 KIND = 2;
  static const int COUNT = 8;
  static __device__ __forceinline__ uint4 load(const void* at) { return load_once(at); }
  static __device__ __forceinline__ float widen(u16 x) { return __uint_as_float((u32)x << 16); }
  static __device__ __forceinline__ u16 narrow(float x) {
    const u32 bits = __float_as_uint(x);
    // Not a number: adding could carry it over to infinity.
    if ((bits & 0x7fffffff) > 0x7f800000) return (u16)((bits >> 16) | 0x40);
    return (u16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
  static __device__ __forceinline__ u32 pack(float low, float high) { return narrow_bf16x2(low, high); }
  static __device__ __forceinline__ void multiply(float* c, const u32* a, const u32* b) { multiply_bf16(c, a, b); }
  static __device__ __forceinline__ void multiply_only(float* c, const u32* a, const u32* b) { multiply_bf16_only(c, a, b); }
  static __device__ __forceinline__ void spread(uint4 v, float* out) {
    const u32 words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      out[2 * i] = __uint_as_float(words[i] << 16);
      out[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
    }
  }
};

// Numbers of 8 bits (a sign, 4 bits of exponent, 3 of fraction), of weights only: 8 of them are loaded at once, and spread to what they
// are divided by 256. That is exact, and takes no more than moving their bits to where f16 has its own; the scales that such weights
// have make up for it. None of them is NaN, which would be read as a number: whoever loads a model sees to that.
struct F8 {
  typedef unsigned char Stored;
  typedef uint2 Loaded;
  static const int COUNT = 8;
  static __device__ __forceinline__ uint2 load(const void* at) { return load_once_8(at); }
  static __device__ __forceinline__ void spread(uint2 v, float* out) {
    const u32 words[2] = {v.x, v.y};
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const u32 even = (words[i] & 0x00800080u) << 8 | (words[i] & 0x007f007fu) << 7;
      const u32 odd = (words[i] & 0x80008000u) | (words[i] & 0x7f007f00u) >> 1;
      out[4 * i] = widen_f16((u16)(even & 0xffff));
      out[4 * i + 1] = widen_f16((u16)(odd & 0xffff));
      out[4 * i + 2] = widen_f16((u16)(even >> 16));
      out[4 * i + 3] = widen_f16((u16)(odd >> 16));
    }
  }
};

// The same with a scale for each block of inputs, which is loaded with them.
struct F8Blocks {
  struct Loaded {
    uint2 bits;
    float scale;
  };
  static const int COUNT = F8::COUNT;
  static __device__ __forceinline__ void spread(const Loaded& v, float* out) { F8::spread(v.bits, out); }
};

// Whole numbers of 4 bits, of weights only, with a word for each group of them: its scale as f32, in whose last four bits is its zero.
// Eight are loaded at once, with the word of their group, and spread to their differences from the zero.
//
// The bits of a number become the last ones, or those four places before, of an f16 whose first ones are 1024: it is 1024 and the number, or
// 16 times the number. Taking 1024 and the zero from it, or 64 and the zero from a sixteenth of it, is exact.
struct I4 {
  typedef uint2 Loaded;
  static const int COUNT = 8;
  static __device__ __forceinline__ float scale(u32 group) { return __uint_as_float(group & ~15u); }
  static __device__ __forceinline__ void spread(uint2 v, float* out) {
    const u32 zero = v.y & 15, last = 0xe400e400u + zero * 0x00010001u, before = 0xd400d400u + zero * 0x00100010u;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const u32 bits = v.x >> 8 * i;
      const u32 even = multiply_add_f16x2((bits & 0x000f000fu) | 0x64006400u, 0x3c003c00u, last);
      const u32 odd = multiply_add_f16x2((bits & 0x00f000f0u) | 0x64006400u, 0x2c002c00u, before);
      out[2 * i] = widen_f16((u16)(even & 0xffff));
      out[2 * i + 1] = widen_f16((u16)(odd & 0xffff));
      out[2 * i + 4] = widen_f16((u16)(even >> 16));
      out[2 * i + 5] = widen_f16((u16)(odd >> 16));
    }
  }
};

// COUNT floats from 16-byte aligned memory.
template <int COUNT>
__device__ __forceinline__ void load_floats(const float* at, float* out) {
#pragma unroll
  for (int i = 0; i < COUNT; i += 4) F32::spread(*(const uint4*)(at + i), out + i);
}

// COUNT activations, side by side, from element `at` on. Those that only products of many rows read are of 16 bits: `kind` is 0 for floats, 1 for
// f16 and 2 for bf16. All of them lie within the row, and `at` is a multiple of COUNT, of 1, 2 or 4.
template <int COUNT>
__device__ __forceinline__ void store_activations(void* out, u64 at, u32 kind, const float* x) {
  if (kind == 0) {
    float* to = (float*)out + at;
    if constexpr (COUNT == 4) {
      const uint4 four = {__float_as_uint(x[0]), __float_as_uint(x[1]), __float_as_uint(x[2]), __float_as_uint(x[3])};
      *(uint4*)to = four;
    } else {
#pragma unroll
      for (int i = 0; i < COUNT; i++) to[i] = x[i];
    }
    return;
  }
  u16* to = (u16*)out + at;
  if constexpr (COUNT == 1) {
    *to = kind == 1 ? F16::narrow(x[0]) : BF16::narrow(x[0]);
  } else {
    u32 words[COUNT / 2];
#pragma unroll
    for (int i = 0; i < COUNT / 2; i++) words[i] = kind == 1 ? F16::pack(x[2 * i], x[2 * i + 1]) : BF16::pack(x[2 * i], x[2 * i + 1]);
    if constexpr (COUNT == 4) {
      const uint2 both = {words[0], words[1]};
      *(uint2*)to = both;
    } else {
      *(u32*)to = words[0];
    }
  }
}

__device__ __forceinline__ u32 lane_of() { return threadIdx.x % WARP; }
__device__ __forceinline__ u32 warp_of() { return threadIdx.x / WARP; }

// The sum over the lanes of a warp, in every lane. The order is fixed, so the bits are the same in every run.
__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(ALL_LANES, x, step);
  return x;
}

// The sum over a block of whole warps, in every thread. `room` has a float for each warp.
__device__ __forceinline__ float block_sum(float x, float* room) {
  x = warp_sum(x);
  // Whoever still reads the last sum has to be done.
  __syncthreads();
  if (lane_of() == 0) room[warp_of()] = x;
  __syncthreads();
  x = lane_of() < blockDim.x / WARP ? room[lane_of()] : 0.0f;
  return warp_sum(x);
}

// The functions between the two products of an MLP, in the order of `function_code` in src/arguments.rs.
__device__ __forceinline__ float activate(u32 function, float x) {
  switch (function) {
    case 1: return fmaxf(x, 0.0f);
    case 2: return x / (1.0f + expf(-x));
    case 3: return 0.5f * x * (1.0f + erff(x * 0.7071067811865476f));
    case 4: return 0.5f * x * (1.0f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
    default: return x;
  }
}

// What linear.cu and linear_mma.cu take.
struct Linear {
  const float* x;
  const void* weight;
  // For each output, null for none. What is written is function(sum * scale + bias).
  const float* scale;
  const float* bias;
  float* out;
  // Of weights of 4 bits, and of 8 in blocks: a row of words for each 2^row_shift outputs, each word for 2^shift inputs.
  const u32* groups;
  // Of all parts together. A gate has two halves: its functions' and its factors'.
  u32 outputs;
  u32 rows, stride, out_stride, function, gate, groups_stride, row_shift, shift;
  // Of linear_mma.cu: how many blocks share the inputs of an output, room for their sums, and how many have written them.
  u32 splits;
  float* parts;
  u32* counters;
};

// What follows the sum of an output, but for its function; of structures that have scales and biases of outputs.
template <class A>
__device__ __forceinline__ float finished(const A& a, float sum, u32 output) {
  const float x = a.scale ? sum * a.scale[output] : sum;
  return a.bias ? x + a.bias[output] : x;
}

// What prefill.cu and prefill_mma.cu take. A tile is some consecutive rows of one sequence: the first one, how many, the position of the
// first one, and where the sequence's pages begin in `pages`.
struct Tile {
  u32 row, rows, position, first_page;
};

struct Prefill {
  const float* qkv;
  const void* keys;
  const void* values;
  const Tile* tiles;
  const u32* pages;
  void* out;
  u32 heads, kv_heads, head_dim, cache_dim, qkv_stride, out_stride, window, out_kind;
  float scale;
};

// What sample.cu and logprobs.cu take: the rows to draw from, and room for what was drawn.
struct Row {
  u64 least_weight;
  // The row of logits.
  u32 row;
  // Where its mask begins among the masks; NONE for no mask.
  u32 mask;
  u32 first_edit, edits;
  // The row of the copies, if there are edits.
  u32 copy;
  u32 top_k;
  float temperature, uniform, top_p, repetition, presence, frequency;
  // Where its most likely tokens begin in `tops`, NONE where no log-probabilities are wanted; and how many.
  u32 first_top, tops;
};

struct Edit {
  u32 token;
  // 0: bits are a bias; 1: penalties, bits count the token in the output; 2: banned
  u32 kind, bits;
};

struct Drawn {
  u32 token;
  // 0: drawn; 1: nothing may be drawn; 2: `token` has a logit that is no number.
  u32 status;
  // For log-probabilities, by the raw logits: that of the token, the largest one, and the sum of exp(logit - largest) * 2^40.
  float logit, largest;
  double sum;
};

struct Top {
  u32 token;
  float logit;
};

struct Draw {
  const float* logits;
  const Row* rows;
  const u32* masks;
  const Edit* edits;
  float* copies;
  Drawn* drawn;
  Top* tops;
  u32 vocabulary, stride;
};

__device__ __forceinline__ float finite(float x) { return x == -__uint_as_float(0x7f800000u) ? -LARGEST : x; }

// exp(x) * 2^40 for x from -28 to 0, else 0; the steps are those of the reference sampler, so the bits are the same.
__device__ __forceinline__ float scaled_of(float x) {
  // Not a number fails it too.
  if (!(x >= -28.0f)) return 0.0f;
  x = fminf(x, 0.0f);
  const float rounded = __fadd_rn(__fmul_rn(x, 1.44269504088896340736f), 12582912.0f);
  const float n = __fsub_rn(rounded, 12582912.0f);
  const float r = __fsub_rn(__fsub_rn(x, __fmul_rn(n, 355.0f / 512.0f)), __fmul_rn(n, -2.1219444e-4f));
  const float coefficients[6] = {1.0f / 120.0f, 1.0f / 24.0f, 1.0f / 6.0f, 0.5f, 1.0f, 1.0f};
  float p = 1.0f / 720.0f;
#pragma unroll
  for (int i = 0; i < 6; i++) p = __fadd_rn(__fmul_rn(p, r), coefficients[i]);
  const u32 exponent = __float_as_uint(rounded) - 0x4b400000u + 127u;
  return __fmul_rn(__fmul_rn(p, __uint_as_float(exponent << 23)), 1099511627776.0f);
}

// A number whose order, as an integer, is that of the floats.
__device__ __forceinline__ u32 order_of(float x) {
  const u32 bits = __float_as_uint(x);
  return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}

__device__ __forceinline__ float from_order(u32 order) {
  return __uint_as_float(order ^ (order >> 31 ? 0x80000000u : 0xffffffffu));
}
