// Products of up to 64 rows with a matrix of weights of 16, 8 or 4 bits, on tensor cores.
//
// From some rows on, multiplying number by number takes longer than reading the weights. Here 16 outputs are multiplied with 8 rows
// at once (mma.m16n8k16; the weights are its first operand). A warp has some times 16 outputs and a block's 8, 16 or 32 rows, and goes
// along the inputs in tiles of TILE: the weights of a tile are on their way to registers while x is put into shared memory, as the numbers of 16 bits that tensor
// cores take. For few rows each number of x is put there as two, what it is rounded to and what that leaves, so that next to nothing
// is lost; for more rows as one, as for products by cuBLASLt. All else is exact but the sums, which are f32.
//
// The order of inputs within a product is free, as long as both operands have the same one. So a lane takes what lies side by side in
// memory: eights of inputs, one or two with one load, each for two products; and within an eight the order in which few bits are cheap to widen.
//
// Where a matrix has few outputs, its inputs are split among blocks. Each writes its sums, and the one that comes last (a counter tells) adds all up,
// in the order of the splits: what comes out doesn't depend on which one it was, nor on how many rows there are.

#define THREADS 128
#define WARPS (THREADS / WARP)
// Inputs.
#define TILE 128

// Two numbers in a word of bf16, and in another one what rounding left of them.
__device__ __forceinline__ void split_in_two(float low, float high, u32* rounded, u32* rest) {
  *rounded = BF16::pack(low, high);
  *rest = BF16::pack(low - __uint_as_float(*rounded << 16), high - __uint_as_float(*rounded & 0xffff0000u));
}

// Weights as tensor cores take them, in bf16. EIGHTS are loaded at once; `words` gives the four words of one of them, whose numbers are those
// of the inputs order(0), order(1), ..., and behind them, where there are two PARTS, four that add to those. A warp has 16 times M outputs.
struct Plain {
  typedef uint4 Loaded;
  static const int EIGHTS = 1, M = 2, PARTS = 1;
  static const bool SCALED = false;
  static __device__ __forceinline__ int order(int i) { return i; }
  static __device__ __forceinline__ uint4 load(const void* weight, u32 unit) { return load_once((const uint4*)weight + unit); }
  static __device__ __forceinline__ float scale(u32) { return 1.0f; }
  static __device__ __forceinline__ void words(uint4 v, int, u32, u32* out) {
    out[0] = v.x;
    out[1] = v.y;
    out[2] = v.z;
    out[3] = v.w;
  }
};

// The numbers of f16 have three bits more than bf16 has, and so are two of those.
struct Halves : Plain {
  static const int PARTS = 2;
  static __device__ __forceinline__ void words(uint4 v, int, u32, u32* out) {
    const u32 from[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; i++) split_in_two(widen_f16((u16)(from[i] & 0xffff)), widen_f16((u16)(from[i] >> 16)), out + i, out + 4 + i);
  }
};

// As F8 gives them, divided by 256: their bits, put where bf16 has its own, are divided by 2^120, and 2^112 is multiplied in.
struct Eight {
  typedef uint4 Loaded;
  static const int EIGHTS = 2, M = 2, PARTS = 1;
  static const bool SCALED = false;
  static __device__ __forceinline__ int order(int i) { return (i & 4) | (i & 1) << 1 | (i >> 1 & 1); }
  static __device__ __forceinline__ uint4 load(const void* weight, u32 unit) { return load_once((const uint4*)weight + unit); }
  static __device__ __forceinline__ float scale(u32) { return 1.0f; }
  static __device__ __forceinline__ void words(uint4 v, int eight, u32, u32* out) {
    const u32 from[2] = {eight ? v.z : v.x, eight ? v.w : v.y};
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const u32 even = (from[i] & 0x00800080u) << 8 | (from[i] & 0x007f007fu) << 4;
      const u32 odd = (from[i] & 0x80008000u) | (from[i] & 0x7f007f00u) >> 4;
      out[2 * i] = multiply_add_bf16x2(even, 0x77807780u, 0x80008000u);
      out[2 * i + 1] = multiply_add_bf16x2(odd, 0x77807780u, 0x80008000u);
    }
  }
};

struct EightBlocks : Eight {
  static const bool SCALED = true;
  static __device__ __forceinline__ float scale(u32 word) { return __uint_as_float(word); }
};

// Differences from the zero: the bits of a number become the last ones of a bf16 that is 128 and the number.
struct Four {
  typedef uint2 Loaded;
  static const int EIGHTS = 2, M = 4, PARTS = 1;
  static const bool SCALED = true;
  static __device__ __forceinline__ int order(int i) { return i >> 1 | (i & 1) << 2; }
  static __device__ __forceinline__ uint2 load(const void* weight, u32 unit) { return load_once_8((const uint2*)weight + unit); }
  static __device__ __forceinline__ float scale(u32 word) { return I4::scale(word); }
  static __device__ __forceinline__ void words(uint2 v, int eight, u32 group, u32* out) {
    const u32 bits = eight ? v.y : v.x, zero = 0xc300c300u + (group & 15) * 0x00010001u;
#pragma unroll
    for (int i = 0; i < 4; i++)
      out[i] = multiply_add_bf16x2((bits >> 4 * i & 0x000f000fu) | 0x43004300u, 0x3f803f80u, zero);
  }
};

// With more rows there are registers for fewer outputs.
struct FourOfManyRows : Four {
  static const int M = 2;
};

// Puts a tile of x into shared memory: for each eight of a lane, each of the two products and each 8 rows, the two words of the second
// operand, and behind them those of what rounding left.
template <class W, int N, int PARTS>
__device__ __forceinline__ void load_rows(const Linear& a, u32 first_row, u32 start, u32* room) {
#pragma unroll
  for (int item = 0; item < TILE * N / THREADS; item++) {
    const u32 i = item * THREADS + threadIdx.x;
    const u32 lane = i % WARP, n = i / WARP % N, eight = i / WARP / N;
    const u32 row = first_row + n * 8 + lane / 4;
    const u32 input = start + (eight / W::EIGHTS * 4 + lane % 4) * 8 * W::EIGHTS + eight % W::EIGHTS * 8;
    float x[8] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
    if (row < a.rows && input < a.stride) load_floats<8>(a.x + (u64)row * a.stride + input, x);
#pragma unroll
    for (int step = 0; step < 2; step++) {
      u32 words[2 * PARTS];
#pragma unroll
      for (int w = 0; w < 2; w++) {
        const float low = x[W::order(4 * step + 2 * w)], high = x[W::order(4 * step + 2 * w + 1)];
        if (PARTS == 2)
          split_in_two(low, high, words + w, words + 2 * PARTS - 2 + w);
        else
          words[w] = BF16::pack(low, high);
      }
      u32* to = room + (((eight * 2 + step) * N + n) * WARP + lane) * 2 * PARTS;
      if (PARTS == 2) {
        const uint4 both = {words[0], words[1], words[2 * PARTS - 2], words[2 * PARTS - 1]};
        *(uint4*)to = both;
      } else {
        const uint2 one = {words[0], words[1]};
        *(uint2*)to = one;
      }
    }
  }
}

// N times 8 rows; each number of x in PARTS.
template <class W, int N, int PARTS>
__device__ __forceinline__ void linear_mma(const Linear& a) {
  const int M = W::M, CHUNK = 32 * W::EIGHTS, CHUNKS = TILE / CHUNK;
  DYNAMIC_SHARED(shared);
  u32* room = (u32*)shared;
  const u32 row_tiles = (a.rows + 8 * N - 1) / (8 * N);
  // Blocks with the same weights run at the same time.
  const u32 first_row = blockIdx.x % row_tiles * 8 * N, tile = blockIdx.x / row_tiles;
  // Of a gate, half of a warp's outputs are functions, and the other half their factors.
  const u32 results = a.gate ? a.outputs / 2 : a.outputs;
  const int each = a.gate ? M / 2 : M;
  // The first of the results that the lane has; each 8 is another.
  const u32 first = (tile * WARPS + warp_of()) * each * 16 + lane_of() / 4;

  u32 unit[M][2], word[M][2];
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const u32 factor = m >= each, result = first + (m - factor * each) * 16 + half * 8;
      // Past the end the last one is computed again, and not written.
      const u32 output = (result < results ? result : results - 1) + factor * results;
      unit[m][half] = output * (a.stride / (8 * W::EIGHTS)) + lane_of() % 4;
      word[m][half] = (output >> a.row_shift) * a.groups_stride;
    }

  float sum[M][N][4];
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) sum[m][n][i] = 0.0f;

  const u32 tiles = (a.stride + TILE - 1) / TILE, of_split = (tiles + a.splits - 1) / a.splits;
  const u32 begin = blockIdx.y * of_split * TILE, end = min(begin + of_split * TILE, a.stride);
  typename W::Loaded loaded[CHUNKS][M][2];
  u32 words[CHUNKS][M][2];
  const auto load_weights = [&](u32 start) {
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
      // Past the end x is zero, whatever the weights are.
      const u32 at = start + c * CHUNK < a.stride ? start + c * CHUNK : start;
#pragma unroll
      for (int m = 0; m < M; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
          loaded[c][m][half] = W::load(a.weight, unit[m][half] + at / (8 * W::EIGHTS));
          words[c][m][half] = W::SCALED ? a.groups[word[m][half] + (at >> a.shift)] : 0;
        }
    }
  };
  // What is loaded first is on its way while the kernel before this one ends, which x may come from.
  if (begin < end) load_weights(begin);
  wait_for_previous();
  for (u32 start = begin; start < end; start += TILE) {
    if (start > begin) load_weights(start);
    __syncthreads();
    load_rows<W, N, PARTS>(a, first_row, start, room);
    __syncthreads();
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
      // What has scales along a row is added up for each of them first.
      float part[M][N][4];
#pragma unroll
      for (int e = 0; e < W::EIGHTS; e++) {
        u32 left[M][2][4 * W::PARTS];
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
          for (int half = 0; half < 2; half++) W::words(loaded[c][m][half], e, words[c][m][half], left[m][half]);
#pragma unroll
        for (int step = 0; step < 2; step++)
#pragma unroll
          for (int n = 0; n < N; n++) {
            const u32* from = room + ((((c * W::EIGHTS + e) * 2 + step) * N + n) * WARP + lane_of()) * 2 * PARTS;
            u32 right[2 * PARTS];
#pragma unroll
            for (int i = 0; i < 2 * PARTS; i++) right[i] = from[i];
#pragma unroll
            for (int m = 0; m < M; m++) {
              const u32* top = left[m][0];
              const u32* bottom = left[m][1];
              const u32 four[4] = {top[2 * step], bottom[2 * step], top[2 * step + 1], bottom[2 * step + 1]};
              float* to = W::SCALED ? part[m][n] : sum[m][n];
              if (W::SCALED && e == 0 && step == 0)
                multiply_bf16_only(to, four, right);
              else
                multiply_bf16(to, four, right);
              if (PARTS == 2) multiply_bf16(to, four, right + 2 * PARTS - 2);
              // What is left of both is too little to count.
              if (W::PARTS == 2) {
                const int at = 4 * W::PARTS - 4 + 2 * step;
                const u32 rest[4] = {top[at], bottom[at], top[at + 1], bottom[at + 1]};
                multiply_bf16(to, rest, right);
              }
            }
          }
      }
      if (W::SCALED) {
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
          for (int n = 0; n < N; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) sum[m][n][i] = fmaf(W::scale(words[c][m][i / 2]), part[m][n][i], sum[m][n][i]);
      }
    }
  }

  if (a.splits > 1) {
    uint4* parts = (uint4*)a.parts + (u64)blockIdx.x * a.splits * M * N * THREADS + threadIdx.x;
#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
      for (int n = 0; n < N; n++) {
        const float* s = sum[m][n];
        const uint4 four = {__float_as_uint(s[0]), __float_as_uint(s[1]), __float_as_uint(s[2]), __float_as_uint(s[3])};
        parts[((blockIdx.y * M + m) * N + n) * THREADS] = four;
      }
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) room[0] = atomicAdd(a.counters + blockIdx.x, 1u) + 1 == a.splits;
    __syncthreads();
    if (!room[0]) return;
    __threadfence();
#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
      for (int n = 0; n < N; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) sum[m][n][i] = 0.0f;
    for (u32 split = 0; split < a.splits; split++)
#pragma unroll
      for (int m = 0; m < M; m++)
#pragma unroll
        for (int n = 0; n < N; n++) {
          float four[4];
          F32::spread(load_written(parts + ((split * M + m) * N + n) * THREADS), four);
#pragma unroll
          for (int i = 0; i < 4; i++) sum[m][n][i] += four[i];
        }
    // For the next product.
    if (threadIdx.x == 0) a.counters[blockIdx.x] = 0;
  }

#pragma unroll
  for (int m = 0; m < M; m++) {
    if (m >= each) continue;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const u32 result = first + m * 16 + half * 8;
      if (result >= results) continue;
#pragma unroll
      for (int n = 0; n < N; n++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
          const u32 row = first_row + n * 8 + lane_of() % 4 * 2 + i;
          if (row >= a.rows) continue;
          float x = activate(a.function, finished(a, sum[m][n][half * 2 + i], result));
          // The factors of a gate are as many tiles further.
          if (a.gate) x *= finished(a, sum[(m + M / 2) % M][n][half * 2 + i], result + results);
          a.out[(u64)row * a.out_stride + result] = x;
        }
    }
  }
}

EARLY_KERNEL(linear_mma_f16_8, THREADS, 1, Linear) { linear_mma<Halves, 1, 2>(a); }
EARLY_KERNEL(linear_mma_f16_16, THREADS, 1, Linear) { linear_mma<Halves, 2, 2>(a); }
EARLY_KERNEL(linear_mma_bf16_8, THREADS, 1, Linear) { linear_mma<Plain, 1, 2>(a); }
EARLY_KERNEL(linear_mma_bf16_16, THREADS, 1, Linear) { linear_mma<Plain, 2, 2>(a); }
EARLY_KERNEL(linear_mma_f8_8, THREADS, 1, Linear) { linear_mma<Eight, 1, 2>(a); }
EARLY_KERNEL(linear_mma_f8_16, THREADS, 1, Linear) { linear_mma<Eight, 2, 2>(a); }
EARLY_KERNEL(linear_mma_f8_64, THREADS, 1, Linear) { linear_mma<Eight, 4, 1>(a); }
EARLY_KERNEL(linear_mma_f8_blocks_8, THREADS, 1, Linear) { linear_mma<EightBlocks, 1, 2>(a); }
EARLY_KERNEL(linear_mma_f8_blocks_16, THREADS, 1, Linear) { linear_mma<EightBlocks, 2, 2>(a); }
EARLY_KERNEL(linear_mma_f8_blocks_64, THREADS, 1, Linear) { linear_mma<EightBlocks, 4, 1>(a); }
EARLY_KERNEL(linear_mma_i4_8, THREADS, 1, Linear) { linear_mma<Four, 1, 2>(a); }
EARLY_KERNEL(linear_mma_i4_16, THREADS, 1, Linear) { linear_mma<Four, 2, 2>(a); }
EARLY_KERNEL(linear_mma_i4_64, THREADS, 1, Linear) { linear_mma<FourOfManyRows, 4, 1>(a); }
