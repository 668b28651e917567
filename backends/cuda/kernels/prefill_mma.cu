// Attention of many rows of one sequence (prefill) on tensor cores, over a KV cache of 16-bit numbers.
//
// As in prefill.cu, a block has one query head of ROWS consecutive rows and goes over what they see with a running softmax ("flash
// attention 2"; Dao 2023), but in tiles of TOKENS positions, and both products are done by tensor cores. A warp has 16 rows: their
// queries, scores and weighted sums stay in its registers, in the layout in which mma.m16n8k16 takes and gives them. Keys and values
// go through shared memory, values transposed, so that two that follow each other in the sum lie in one word.
//
// Of the 16 by 8 result, lane l has columns 2 (l mod 4) and the one after it of rows l / 4 and l / 4 + 8: the scores of a lane are
// the weights that the second product wants of it.

#define THREADS 128
#define ROWS 64
#define TOKENS 64

// A tile of keys [TOKENS][DIM] and of values [DIM][TOKENS]. Rows are 16 bytes longer, so that columns lie in different banks.
template <int DIM>
struct Shared {
  static const int KEY_STRIDE = DIM + 8, VALUE_STRIDE = TOKENS + 8;
  u16* keys;
  u16* values;
};

// Loads the positions from `first` up to `last`, and zeros for those past it.
template <int DIM>
__device__ __forceinline__ void load_tile(const Prefill& a, const Tile& tile, u32 kv_head, u32 first, u32 last, Shared<DIM> to) {
  const u32 pieces = DIM / 8;
  for (u32 i = threadIdx.x; i < TOKENS * pieces; i += THREADS) {
    const u32 token = i / pieces, element = i % pieces * 8, position = first + token;
    uint4 key = {0, 0, 0, 0}, value = {0, 0, 0, 0};
    if (position <= last && element < a.cache_dim) {
      const u64 page = a.pages[tile.first_page + position / PAGE];
      const u64 place = ((page * a.kv_heads + kv_head) * PAGE + position % PAGE) * a.cache_dim + element;
      key = load_once((const u16*)a.keys + place);
      value = load_once((const u16*)a.values + place);
    }
    *(uint4*)(to.keys + token * Shared<DIM>::KEY_STRIDE + element) = key;
    const u32 words[4] = {value.x, value.y, value.z, value.w};
#pragma unroll
    for (int n = 0; n < 8; n++)
      to.values[(element + n) * Shared<DIM>::VALUE_STRIDE + token] = (u16)(words[n / 2] >> (n % 2 * 16));
  }
}

// The two words of the second operand of a product: column `column` of its tile of 8, elements 16 `step` and on of a row.
__device__ __forceinline__ void load_operand(const u16* rows, u32 stride, u32 column, u32 step, u32* out) {
  const u16* at = rows + (column * 8 + lane_of() / 4) * stride + step * 16 + lane_of() % 4 * 2;
  out[0] = *(const u32*)at;
  out[1] = *(const u32*)(at + 8);
}

template <class E, int DIM>
__device__ __forceinline__ void prefill(const Prefill& a) {
  DYNAMIC_SHARED(shared);
  Shared<DIM> room;
  room.keys = (u16*)shared;
  room.values = room.keys + TOKENS * Shared<DIM>::KEY_STRIDE;

  const Tile tile = a.tiles[blockIdx.x];
  const u32 head = blockIdx.y;
  const u32 kv_head = head / (a.heads / a.kv_heads);
  // The lane's first row and column in each 16 by 8 tile; the other row is 8 below.
  const u32 row = warp_of() * 16 + lane_of() / 4, column = lane_of() % 4 * 2;
  const bool works = warp_of() * 16 < tile.rows;

  u32 query[DIM / 16][4];
#pragma unroll
  for (int k = 0; k < DIM / 16; k++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const u32 from = row + i % 2 * 8, element = k * 16 + column + i / 2 * 8;
      const float* q = a.qkv + (u64)(tile.row + from) * a.qkv_stride + head * a.head_dim + element;
      const float low = from < tile.rows && element < a.head_dim ? q[0] * a.scale : 0.0f;
      const float high = from < tile.rows && element + 1 < a.head_dim ? q[1] * a.scale : 0.0f;
      query[k][i] = E::pack(low, high);
    }
  float sums[DIM / 8][4];
#pragma unroll
  for (int n = 0; n < DIM / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) sums[n][i] = 0.0f;
  float largest[2] = {-LARGEST, -LARGEST}, total[2] = {0.0f, 0.0f};

  const u32 seen = tile.position + 1;
  const u32 first = a.window && seen > a.window ? seen - a.window : 0;
  const u32 last = tile.position + tile.rows - 1;
  for (u32 start = first / TOKENS * TOKENS; start <= last; start += TOKENS) {
    __syncthreads();
    load_tile<DIM>(a, tile, kv_head, start, last, room);
    __syncthreads();
    if (!works) continue;

    float scores[TOKENS / 8][4];
#pragma unroll
    for (int n = 0; n < TOKENS / 8; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) scores[n][i] = 0.0f;
#pragma unroll
      for (int k = 0; k < DIM / 16; k++) {
        u32 key[2];
        load_operand(room.keys, Shared<DIM>::KEY_STRIDE, n, k, key);
        E::multiply(scores[n], query[k], key);
      }
    }

#pragma unroll
    for (int half = 0; half < 2; half++) {
      const u32 position = tile.position + row + half * 8;
      float most = largest[half];
#pragma unroll
      for (int n = 0; n < TOKENS / 8; n++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
          const u32 other = start + n * 8 + column + i;
          const bool sees = other <= position && (!a.window || other + a.window > position);
          float& score = scores[n][half * 2 + i];
          score = sees ? score : -LARGEST;
          most = fmaxf(most, score);
        }
      // Four lanes share a row.
#pragma unroll
      for (int step = 2; step > 0; step /= 2) most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, step));
      const float change = expf(largest[half] - most);
      float sum = 0.0f;
#pragma unroll
      for (int n = 0; n < TOKENS / 8; n++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
          float& score = scores[n][half * 2 + i];
          // What is not seen stays without weight where nothing was seen yet.
          score = score == -LARGEST ? 0.0f : expf(score - most);
          sum += score;
        }
#pragma unroll
      for (int step = 2; step > 0; step /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, step);
      total[half] = total[half] * change + sum;
      largest[half] = most;
#pragma unroll
      for (int n = 0; n < DIM / 8; n++)
#pragma unroll
        for (int i = 0; i < 2; i++) sums[n][half * 2 + i] *= change;
    }

#pragma unroll
    for (int k = 0; k < TOKENS / 16; k++) {
      const float* low = scores[2 * k];
      const float* high = scores[2 * k + 1];
      const u32 weights[4] = {E::pack(low[0], low[1]), E::pack(low[2], low[3]), E::pack(high[0], high[1]),
                              E::pack(high[2], high[3])};
#pragma unroll
      for (int n = 0; n < DIM / 8; n++) {
        u32 value[2];
        load_operand(room.values, Shared<DIM>::VALUE_STRIDE, n, k, value);
        E::multiply(sums[n], weights, value);
      }
    }
  }
  if (!works) return;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const u32 to = row + half * 8;
    if (to >= tile.rows) continue;
    float* out = a.out + (u64)(tile.row + to) * a.out_stride + head * a.head_dim;
#pragma unroll
    for (int n = 0; n < DIM / 8; n++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const u32 element = n * 8 + column + i;
        if (element < a.head_dim) out[element] = sums[n][half * 2 + i] / total[half];
      }
  }
}

KERNEL(prefill_f16_64, THREADS, Prefill) { prefill<F16, 64>(a); }
KERNEL(prefill_f16_128, THREADS, Prefill) { prefill<F16, 128>(a); }
KERNEL(prefill_bf16_64, THREADS, Prefill) { prefill<BF16, 64>(a); }
KERNEL(prefill_bf16_128, THREADS, Prefill) { prefill<BF16, 128>(a); }
