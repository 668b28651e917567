// Attention of many rows of one sequence (prefill) on tensor cores, over a KV cache of 16-bit numbers.
//
// As in prefill.cu, a block has one query head of ROWS consecutive rows and goes over what they see with a running softmax ("flash
// attention 2"; Dao 2023), but in tiles of TOKENS positions, and both products are done by tensor cores. A warp has 16 rows: their
// queries, scores and weighted sums stay in its registers, in the layout in which mma.m16n8k16 takes and gives them. Keys and values
// go through shared memory: the values of a tile are on their way there while it is multiplied by the keys, and the keys of the next one while
// it is multiplied by the values.
//
// Of the 16 by 8 result, lane l has columns 2 (l mod 4) and the one after it of rows l / 4 and l / 4 + 8: the scores of a lane are
// the weights that the second product wants of it.

#define THREADS 128
#define ROWS 64
#define TOKENS 64

// A tile of keys or of values: [TOKENS][DIM], its rows 16 bytes longer, so that eight of them lie in different banks.
template <int DIM>
struct Room {
  // Bytes of a row, and pieces of 16 bytes in it.
  static const u32 STRIDE = 2 * DIM + 16, PIECES = DIM / 8;
  Place at;

  // Begins to load the positions from `first` (of which TOKENS is a divisor) up to `last` of a cache's part, and zeros for those past it.
  __device__ __forceinline__ void load(const Prefill& a, const void* cache, const Tile& tile, u32 kv_head, u32 first, u32 last) const {
    const u32 tokens = THREADS / PIECES, token = threadIdx.x / PIECES, piece = threadIdx.x % PIECES, pieces = a.cache_dim / 8;
    u32 page[TOKENS / PAGE];
#pragma unroll
    for (u32 p = 0; p < TOKENS / PAGE; p++) page[p] = a.pages[tile.first_page + min(first / PAGE + p, last / PAGE)] * a.kv_heads + kv_head;
#pragma unroll
    for (u32 n = 0; n < TOKENS / tokens; n++) {
      const u32 in_page = n * tokens % PAGE + token;
      const bool real = first + n * tokens + token <= last && piece < pieces;
      const uint4* from = (const uint4*)cache + (page[n * tokens / PAGE] * PAGE + in_page) * pieces + piece;
      copy_async(at + token * STRIDE + piece * 16 + n * tokens * STRIDE, from, real);
    }
  }
};

template <class E, int DIM>
__device__ __forceinline__ void prefill(const Prefill& a) {
  DYNAMIC_SHARED(shared);
  const u32 stride = Room<DIM>::STRIDE;
  const Room<DIM> keys = {place_of(shared)}, values = {keys.at + TOKENS * stride};

  const Tile tile = a.tiles[blockIdx.x];
  const u32 head = blockIdx.y;
  const u32 kv_head = head / (a.heads / a.kv_heads);
  // The lane's first row and column in each 16 by 8 tile; the other row is 8 below.
  const u32 row = warp_of() * 16 + lane_of() / 4, column = lane_of() % 4 * 2;
  const bool works = warp_of() * 16 < tile.rows;

  const u32 seen = tile.position + 1;
  const u32 first = a.window && seen > a.window ? seen - a.window : 0;
  const u32 last = tile.position + tile.rows - 1;
  u32 start = first / TOKENS * TOKENS;
  keys.load(a, a.keys, tile, kv_head, start, last);

  // Scores are kept as their exponents to 2.
  const float scale = a.scale * 1.44269504088896340736f;
  u32 query[DIM / 16][4];
#pragma unroll
  for (int half = 0; half < 2; half++) {
    // Past the end the last row is computed again, and not written.
    const float* q = a.qkv + (u64)(tile.row + min(row + half * 8, tile.rows - 1)) * a.qkv_stride + head * a.head_dim;
#pragma unroll
    for (int k = 0; k < DIM / 16; k++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const u32 element = k * 16 + column + i * 8;
        const float low = element < a.head_dim ? q[element] * scale : 0.0f;
        const float high = element + 1 < a.head_dim ? q[element + 1] * scale : 0.0f;
        query[k][i * 2 + half] = E::pack(low, high);
      }
  }
  float sums[DIM / 8][4];
#pragma unroll
  for (int n = 0; n < DIM / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) sums[n][i] = 0.0f;
  float largest[2] = {-LARGEST, -LARGEST}, total[2] = {0.0f, 0.0f};

  for (; start <= last; start += TOKENS) {
    // Keys are there, and nobody reads values any more.
    wait_for_copies();
    __syncthreads();
    values.load(a, a.values, tile, kv_head, start, last);

    float scores[TOKENS / 8][4];
    if (works) {
      // A row of eight tokens' keys for each lane, of which the first eight have the elements of the first quarter.
      const Place from = keys.at + lane_of() % 8 * stride + lane_of() / 8 * 16;
#pragma unroll
      for (int n = 0; n < TOKENS / 8; n++)
#pragma unroll
        for (int k = 0; k < DIM / 16; k += 2) {
          u32 key[4];
          load_matrices(from + n * 8 * stride + k * 32, key);
          if (k == 0)
            E::multiply_only(scores[n], query[k], key);
          else
            E::multiply(scores[n], query[k], key);
          E::multiply(scores[n], query[k + 1], key + 2);
        }
    }
    // Values are there, and nobody reads keys any more.
    wait_for_copies();
    __syncthreads();
    if (start + TOKENS <= last) keys.load(a, a.keys, tile, kv_head, start + TOKENS, last);
    if (!works) continue;

    // Most tiles are seen by all rows.
    if (start + TOKENS > seen || (a.window && start + a.window <= last))
#pragma unroll
      for (int n = 0; n < TOKENS / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const u32 position = tile.position + row + i / 2 * 8, other = start + n * 8 + column + i % 2;
          const bool sees = other <= position && (!a.window || other + a.window > position);
          scores[n][i] = sees ? scores[n][i] : -LARGEST;
        }
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float most = largest[half];
#pragma unroll
      for (int n = 0; n < TOKENS / 8; n++)
#pragma unroll
        for (int i = 0; i < 2; i++) most = fmaxf(most, scores[n][half * 2 + i]);
      // Four lanes share a row.
#pragma unroll
      for (int step = 2; step > 0; step /= 2) most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, step));
      const float change = power_of_2(largest[half] - most);
      // Where nothing was seen yet, what is not seen stays without weight.
      const float base = most == -LARGEST ? 0.0f : most;
      float sum = 0.0f;
#pragma unroll
      for (int n = 0; n < TOKENS / 8; n++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
          float& score = scores[n][half * 2 + i];
          score = power_of_2(score - base);
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

    // A row of eight elements for each lane: of tokens 0 to 7, 8 to 15, and both again with the next elements.
    const Place from = values.at + lane_of() % 16 * stride + lane_of() / 16 * 16;
#pragma unroll
    for (int k = 0; k < TOKENS / 16; k++) {
      const float* low = scores[2 * k];
      const float* high = scores[2 * k + 1];
      const u32 weights[4] = {E::pack(low[0], low[1]), E::pack(low[2], low[3]), E::pack(high[0], high[1]),
                              E::pack(high[2], high[3])};
#pragma unroll
      for (int n = 0; n < DIM / 8; n += 2) {
        u32 value[4];
        load_matrices_transposed(from + k * 16 * stride + n * 16, value);
        E::multiply(sums[n], weights, value);
        E::multiply(sums[n + 1], weights, value + 2);
      }
    }
  }
  if (!works) return;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const u32 to = row + half * 8;
    if (to >= tile.rows) continue;
    const u64 out = (u64)(tile.row + to) * a.out_stride + head * a.head_dim;
#pragma unroll
    for (int n = 0; n < DIM / 8; n++) {
      const u32 element = n * 8 + column;
      const float x[2] = {sums[n][half * 2] / total[half], sums[n][half * 2 + 1] / total[half]};
      // Heads begin at even elements where they have an even number of them.
      if (element + 1 < a.head_dim && a.head_dim % 2 == 0) {
        store_activations<2>(a.out, out + element, a.out_kind, x);
      } else {
#pragma unroll
        for (u32 i = 0; i < 2; i++)
          if (element + i < a.head_dim) store_activations<1>(a.out, out + element + i, a.out_kind, x + i);
      }
    }
  }
}

KERNEL(prefill_f16_64, THREADS, Prefill) { prefill<F16, 64>(a); }
KERNEL(prefill_f16_128, THREADS, Prefill) { prefill<F16, 128>(a); }
KERNEL(prefill_bf16_64, THREADS, Prefill) { prefill<BF16, 64>(a); }
KERNEL(prefill_bf16_128, THREADS, Prefill) { prefill<BF16, 128>(a); }
