// Attention of single rows (decoding) over the paged KV cache.
//
// One row has too little work for a GPU unless its context is cut: a block has one key head, a few of the query heads that share it (so
// that keys and values are read once for all of them), and one of SPLITS parts of the context. What a part gives is kept as largest
// score, sum of exponentials and weighted sum of values; the block that is the last one to be done puts the parts together ("flash
// decoding"; Dao et al. 2023).
//
// How the context is cut depends on its length alone: a row has the same bits whatever else is in the batch. The sizes of a launch do
// not depend on it, so that it can be recorded once for all lengths: a row has some blocks for each key head, the fewer the more rows there
// are, and they take its parts in turn.
//
// In a block, the tokens of the part go by in tiles of TILE. Scores: eight lanes share a token, and take 16 bytes of its key in turn.
// Values: a thread has 16 bytes of the head, of every n-th token of the tile. All that a thread needs of a tile is loaded at once, values
// before the scores by which they will be multiplied: one load after the other would take longer than all else.

#define THREADS 128
#define TILE 64
// The most parts.
#define MOST_SPLITS 32
// Tokens whose scores a thread has a part in.
#define KEYS (TILE / (THREADS / 8))
// Values that a thread has on their way at once, as far as there are registers; and of its keys, how many pieces.
#define VALUES (GROUP < 8 ? 8 : 4)
#define PIECES 2
// The least tokens of a part: with fewer, putting parts together costs more than it gains.
#define LEAST_PART 64

struct Decode {
  const float* qkv;
  const void* keys;
  const void* values;
  const u32* positions;
  // The rows of this launch, and where the pages of their sequences begin in `pages`: NONE for a row without a sequence.
  const u32* rows;
  const u32* first_pages;
  const u32* pages;
  // For each row of the launch, query head and part: largest score, sum, and head_dim sums of values.
  float* parts;
  // For each row of the launch and block of heads, how many parts are written.
  u32* counters;
  void* out;
  // `splits` is the most parts of a row, `blocks` how many blocks it has for each key head.
  u32 heads, kv_heads, head_dim, cache_dim, qkv_stride, out_stride, window, splits, blocks, out_kind;
  float scale;
};

// The positions that a row sees, and how they are cut.
struct Seen {
  u32 first, end, part;
};

__device__ __forceinline__ Seen seen_from(const Decode& a, u32 row) {
  Seen seen;
  seen.end = a.positions[row] + 1;
  seen.first = a.window && seen.end > a.window ? seen.end - a.window : 0;
  const u32 even = (seen.end - seen.first + a.splits - 1) / a.splits;
  seen.part = max((even + PAGE - 1) / PAGE * PAGE, LEAST_PART);
  return seen;
}

// What a block has of a row, and a thread of that: of 16 bytes of a head each, how many pieces there are and which one it has; among how
// many threads the tokens are shared for each piece, and which of them it is.
struct Share {
  const u32* pages;
  u32 kv_head, pieces, piece, sharers, sharer;
};

// A part, from `begin` on: largest scores and sums of exponentials of its heads, and the sums of their values in each thread's piece.
template <class E, int GROUP>
__device__ __forceinline__ void attend_part(const Decode& a, const Share& share, u32 begin, u32 end, const float* query, float* scores,
                                            float* largest, float* total, float* factor, float (*sums)[E::COUNT]) {
  const uint4* keys = (const uint4*)a.keys;
  const uint4* values = (const uint4*)a.values;
  const u32 sharers = share.sharers, sharer = share.sharer;
  for (u32 tile = begin; tile < end; tile += TILE) {
    const u32 tokens = min((u32)TILE, end - tile);
    // Where a token's keys or values are, in pieces of 16 bytes.
    const auto place = [&](u32 t) {
      const u32 position = tile + t;
      return ((share.pages[position / PAGE] * a.kv_heads + share.kv_head) * PAGE + position % PAGE) * share.pieces;
    };
    uint4 value[VALUES];
    const auto load_values = [&](u32 first) {
      // Past the end the last one is loaded again, and not used.
      u32 from[VALUES];
#pragma unroll
      for (int n = 0; n < VALUES; n++) from[n] = place(min(first + n * sharers, tokens - 1)) + share.piece;
#pragma unroll
      for (int n = 0; n < VALUES; n++)
        if (n * sharers < TILE) value[n] = load_stored(values + from[n]);
    };
    load_values(sharer);

    float dot[KEYS][GROUP];
#pragma unroll
    for (int n = 0; n < KEYS; n++)
#pragma unroll
      for (int g = 0; g < GROUP; g++) dot[n][g] = 0.0f;
    for (u32 at = threadIdx.x % 8 * E::COUNT; at < a.cache_dim; at += PIECES * 8 * E::COUNT) {
      uint4 key[PIECES][KEYS];
#pragma unroll
      for (int n = 0; n < KEYS; n++) {
        const u32 t = threadIdx.x / 8 + n * (THREADS / 8);
        // Past the end the last one is loaded again, and its score is not written.
        const uint4* from = keys + (place(min(t, tokens - 1)) + at / E::COUNT);
#pragma unroll
        for (int p = 0; p < PIECES; p++)
          if (at + p * 8 * E::COUNT < a.cache_dim) key[p][n] = load_stored(from + p * 8);
      }
#pragma unroll
      for (int p = 0; p < PIECES; p++) {
        if (at + p * 8 * E::COUNT >= a.cache_dim) continue;
        float k[KEYS][E::COUNT];
#pragma unroll
        for (int n = 0; n < KEYS; n++) E::spread(key[p][n], k[n]);
#pragma unroll
        for (int g = 0; g < GROUP; g++) {
          float q[E::COUNT];
          load_floats<E::COUNT>(query + g * a.cache_dim + at + p * 8 * E::COUNT, q);
#pragma unroll
          for (int n = 0; n < KEYS; n++)
#pragma unroll
            for (int i = 0; i < E::COUNT; i++) dot[n][g] = fmaf(q[i], k[n][i], dot[n][g]);
        }
      }
    }
    // Sums over lanes need all of them.
#pragma unroll
    for (int n = 0; n < KEYS; n++)
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        const u32 t = threadIdx.x / 8 + n * (THREADS / 8);
#pragma unroll
        for (int step = 4; step > 0; step /= 2) dot[n][g] += __shfl_xor_sync(ALL_LANES, dot[n][g], step);
        if (threadIdx.x % 8 == 0) scores[g * TILE + t] = t < tokens ? dot[n][g] : -LARGEST;
      }
    __syncthreads();
    // A warp has the scores of a head: the largest so far, what sums so far are multiplied by, and the exponentials.
    for (u32 g = warp_of(); g < GROUP; g += THREADS / WARP) {
      float* score = scores + g * TILE;
      float most = fmaxf(score[lane_of()], score[lane_of() + WARP]);
#pragma unroll
      for (int step = WARP / 2; step > 0; step /= 2) most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, step));
      most = fmaxf(most, largest[g]);
      float sum = 0.0f;
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const u32 t = lane_of() + half * WARP;
        const float weight = t < tokens ? expf(score[t] - most) : 0.0f;
        score[t] = weight;
        sum += weight;
      }
      sum = warp_sum(sum);
      if (lane_of() == 0) {
        factor[g] = expf(largest[g] - most);
        total[g] = total[g] * factor[g] + sum;
      }
      __syncwarp();
      if (lane_of() == 0) largest[g] = most;
    }
    __syncthreads();
    if (sharer < sharers) {
#pragma unroll
      for (int g = 0; g < GROUP; g++)
#pragma unroll
        for (int i = 0; i < E::COUNT; i++) sums[g][i] *= factor[g];
      for (u32 first = sharer; first < tokens; first += VALUES * sharers) {
        if (first != sharer) load_values(first);
#pragma unroll
        for (int n = 0; n < VALUES; n++) {
          const u32 t = first + n * sharers;
          if (t >= tokens) continue;
          float v[E::COUNT];
          E::spread(value[n], v);
#pragma unroll
          for (int g = 0; g < GROUP; g++) {
            const float weight = scores[g * TILE + t];
#pragma unroll
            for (int i = 0; i < E::COUNT; i++) sums[g][i] = fmaf(weight, v[i], sums[g][i]);
          }
        }
      }
    }
    __syncthreads();
  }
}

template <class E, int GROUP>
__device__ __forceinline__ void decode(const Decode& a) {
  // Queries, sums, scores: twice [GROUP][cache_dim], [GROUP][TILE].
  DYNAMIC_SHARED(shared);
  __shared__ float largest[GROUP], total[GROUP], factor[GROUP];
  __shared__ u32 arrived;
  float* query = shared;
  float* summed = query + GROUP * a.cache_dim;
  float* scores = summed + GROUP * a.cache_dim;

  // What is known of the step is found while the kernel before this one ends, which writes queries, keys and values.
  const u32 first_page = a.first_pages[blockIdx.z], row = a.rows[blockIdx.z];
  const Seen seen = seen_from(a, row);
  wait_for_previous();
  if (first_page == NONE) return;
  const u32 group = a.heads / a.kv_heads;
  const u32 blocks = (group + GROUP - 1) / GROUP;
  const u32 pieces = a.cache_dim / E::COUNT;
  const Share share = {a.pages + first_page, blockIdx.y / blocks, pieces, threadIdx.x % pieces, THREADS / pieces, threadIdx.x / pieces};
  const u32 first_head = share.kv_head * group + blockIdx.y % blocks * GROUP;
  const u32 heads = min((u32)GROUP, (share.kv_head + 1) * group - first_head);
  const u32 count = (seen.end - seen.first + seen.part - 1) / seen.part;
  if (blockIdx.x >= count) return;

  const float* row_queries = a.qkv + (u64)row * a.qkv_stride;
  for (u32 i = threadIdx.x; i < GROUP * a.cache_dim; i += THREADS) {
    const u32 head = i / a.cache_dim, element = i % a.cache_dim;
    const bool real = head < heads && element < a.head_dim;
    query[i] = real ? row_queries[(first_head + head) * a.head_dim + element] * a.scale : 0.0f;
  }
  const u64 first_part = ((u64)blockIdx.z * a.heads + first_head) * a.splits;
  float* parts = a.parts + first_part * (a.head_dim + 2);
  const u32 stride = a.splits * (a.head_dim + 2);
  u32 done = 0;
  for (u32 part = blockIdx.x; part < count; part += a.blocks, done++) {
    if (threadIdx.x < GROUP) {
      largest[threadIdx.x] = -LARGEST;
      total[threadIdx.x] = 0.0f;
    }
    __syncthreads();
    float sums[GROUP][E::COUNT];
#pragma unroll
    for (int g = 0; g < GROUP; g++)
#pragma unroll
      for (int i = 0; i < E::COUNT; i++) sums[g][i] = 0.0f;
    const u32 begin = seen.first + part * seen.part;
    attend_part<E, GROUP>(a, share, begin, min(begin + seen.part, seen.end), query, scores, largest, total, factor, sums);
    // The sharers' sums, one after the other.
    for (u32 turn = 0; turn < share.sharers; turn++) {
      if (share.sharer == turn) {
#pragma unroll
        for (int g = 0; g < GROUP; g++)
#pragma unroll
          for (int i = 0; i < E::COUNT; i++) {
            float* sum = summed + g * a.cache_dim + share.piece * E::COUNT + i;
            *sum = turn == 0 ? sums[g][i] : *sum + sums[g][i];
          }
      }
      __syncthreads();
    }
    for (u32 i = threadIdx.x; i < heads * (a.head_dim + 2); i += THREADS) {
      const u32 g = i / (a.head_dim + 2), element = i % (a.head_dim + 2);
      float value = element == 0 ? largest[g] : total[g];
      if (element >= 2) value = summed[g * a.cache_dim + element - 2];
      parts[g * stride + part * (a.head_dim + 2) + element] = value;
    }
    __syncthreads();
  }

  // The block that comes last puts the parts together, in their order.
  u32* counter = a.counters + blockIdx.z * a.kv_heads * blocks + blockIdx.y;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) arrived = atomicAdd(counter, done) + done;
  __syncthreads();
  if (arrived < count) return;
  __threadfence();
  // For the next launch.
  if (threadIdx.x == 0) *counter = 0;
  // Of each head, the largest scores of the parts, by which they are weighted, and behind them their sums.
  for (u32 i = threadIdx.x; i < heads * count; i += THREADS) {
    const u32 g = i / count, part = i % count;
    const float* from = parts + g * stride + part * (a.head_dim + 2);
    scores[g * TILE + part] = load_written_4(from);
    scores[g * TILE + MOST_SPLITS + part] = load_written_4(from + 1);
  }
  __syncthreads();
  if (threadIdx.x < heads) {
    float* of_head = scores + threadIdx.x * TILE;
    float most = -LARGEST, sum = 0.0f;
    for (u32 i = 0; i < count; i++) most = fmaxf(most, of_head[i]);
    for (u32 i = 0; i < count; i++) {
      of_head[i] = expf(of_head[i] - most);
      sum += of_head[MOST_SPLITS + i] * of_head[i];
    }
    total[threadIdx.x] = sum;
  }
  __syncthreads();
  for (u32 i = threadIdx.x; i < heads * a.head_dim; i += THREADS) {
    const u32 g = i / a.head_dim, element = i % a.head_dim;
    const float* from = parts + g * stride + 2 + element;
    float sum = 0.0f;
    for (u32 first = 0; first < count; first += 8) {
      float value[8];
#pragma unroll
      for (int n = 0; n < 8; n++) value[n] = load_written_4(from + min(first + n, count - 1) * (a.head_dim + 2));
#pragma unroll
      for (int n = 0; n < 8; n++)
        if (first + n < count) sum += value[n] * scores[g * TILE + first + n];
    }
    sum /= total[g];
    store_activations<1>(a.out, (u64)row * a.out_stride + (first_head + g) * a.head_dim + element, a.out_kind, &sum);
  }
}

#define DECODE(name, E)                                            \
  EARLY_KERNEL(decode_##name##_1, THREADS, 1, Decode) { decode<E, 1>(a); } \
  EARLY_KERNEL(decode_##name##_2, THREADS, 1, Decode) { decode<E, 2>(a); } \
  EARLY_KERNEL(decode_##name##_4, THREADS, 1, Decode) { decode<E, 4>(a); } \
  EARLY_KERNEL(decode_##name##_8, THREADS, 1, Decode) { decode<E, 8>(a); }

DECODE(f32, F32)
DECODE(f16, F16)
DECODE(bf16, BF16)
