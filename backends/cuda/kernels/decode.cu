// Attention of single rows (decoding) over the paged KV cache.
//
// One row has too little work for a GPU unless its context is cut: a block has one key head, a few of the query heads that share it (so
// that keys and values are read once for all of them), and one of SPLITS parts of the context. What a part gives is kept as largest
// score, sum of exponentials and weighted sum of values; a second kernel puts the parts together ("flash decoding"; Dao et al.
// 2023).
//
// How the context is cut depends on its length alone: a row has the same bits whatever else is in the batch. And so do the sizes of
// a launch, so that it can be recorded once for all lengths; parts without tokens leave at once.
//
// In a block, the tokens of the part go by in tiles of TILE. Scores: eight lanes share a token, and take 16 bytes of its key in turn.
// Values: a thread has 16 bytes of the head, of every n-th token of the tile.

#define THREADS 128
#define TILE 64
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
  float* out;
  u32 heads, kv_heads, head_dim, cache_dim, qkv_stride, out_stride, window, splits;
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

template <class E, int GROUP>
__device__ __forceinline__ void decode(const Decode& a) {
  // Queries, scores, and at the end sums: [GROUP][cache_dim], [GROUP][TILE].
  DYNAMIC_SHARED(shared);
  __shared__ float largest[GROUP], total[GROUP], factor[GROUP];
  float* query = shared;
  float* scores = shared + GROUP * a.cache_dim;

  const u32 first_page = a.first_pages[blockIdx.z];
  if (first_page == NONE) return;
  const u32 row = a.rows[blockIdx.z];
  const u32 group = a.heads / a.kv_heads;
  const u32 blocks = (group + GROUP - 1) / GROUP;
  const u32 kv_head = blockIdx.y / blocks;
  const u32 first_head = kv_head * group + blockIdx.y % blocks * GROUP;
  const u32 heads = min((u32)GROUP, (kv_head + 1) * group - first_head);
  const Seen seen = seen_from(a, row);
  const u32 begin = seen.first + blockIdx.x * seen.part;
  if (begin >= seen.end) return;
  const u32 end = min(begin + seen.part, seen.end);

  const float* row_queries = a.qkv + (u64)row * a.qkv_stride;
  for (u32 i = threadIdx.x; i < GROUP * a.cache_dim; i += THREADS) {
    const u32 head = i / a.cache_dim, element = i % a.cache_dim;
    const bool real = head < heads && element < a.head_dim;
    query[i] = real ? row_queries[(first_head + head) * a.head_dim + element] * a.scale : 0.0f;
  }
  if (threadIdx.x < GROUP) {
    largest[threadIdx.x] = -LARGEST;
    total[threadIdx.x] = 0.0f;
  }
  __syncthreads();

  const typename E::Stored* keys = (const typename E::Stored*)a.keys;
  const typename E::Stored* values = (const typename E::Stored*)a.values;
  const u32* pages = a.pages + first_page;
  // Threads by pieces of 16 bytes of a head, and by tokens.
  const u32 pieces = a.cache_dim / E::COUNT;
  const u32 sharers = THREADS / pieces;
  const u32 piece = threadIdx.x % pieces, sharer = threadIdx.x / pieces;
  float sums[GROUP][E::COUNT];
#pragma unroll
  for (int g = 0; g < GROUP; g++)
#pragma unroll
    for (int i = 0; i < E::COUNT; i++) sums[g][i] = 0.0f;

  for (u32 tile = begin; tile < end; tile += TILE) {
    const u32 tokens = min((u32)TILE, end - tile);
    // Every lane goes as often around as any, since sums over lanes need all of them.
    for (u32 t = threadIdx.x / 8; t < TILE; t += THREADS / 8) {
      float dot[GROUP];
#pragma unroll
      for (int g = 0; g < GROUP; g++) dot[g] = 0.0f;
      if (t < tokens) {
        const u32 position = tile + t;
        const u64 place = ((u64)pages[position / PAGE] * a.kv_heads + kv_head) * PAGE + position % PAGE;
        const typename E::Stored* key = keys + place * a.cache_dim;
        for (u32 at = threadIdx.x % 8 * E::COUNT; at < a.cache_dim; at += 8 * E::COUNT) {
          float k[E::COUNT];
          E::spread(load_once(key + at), k);
#pragma unroll
          for (int g = 0; g < GROUP; g++) {
            float q[E::COUNT];
            load_floats<E::COUNT>(query + g * a.cache_dim + at, q);
#pragma unroll
            for (int i = 0; i < E::COUNT; i++) dot[g] = fmaf(q[i], k[i], dot[g]);
          }
        }
      }
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
#pragma unroll
        for (int step = 4; step > 0; step /= 2) dot[g] += __shfl_xor_sync(ALL_LANES, dot[g], step);
        if (threadIdx.x % 8 == 0) scores[g * TILE + t] = t < tokens ? dot[g] : -LARGEST;
      }
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
      for (u32 t = sharer; t < tokens; t += sharers) {
        const u32 position = tile + t;
        const u64 place = ((u64)pages[position / PAGE] * a.kv_heads + kv_head) * PAGE + position % PAGE;
        float v[E::COUNT];
        E::spread(load_once(values + place * a.cache_dim + piece * E::COUNT), v);
#pragma unroll
        for (int g = 0; g < GROUP; g++) {
          const float weight = scores[g * TILE + t];
#pragma unroll
          for (int i = 0; i < E::COUNT; i++) sums[g][i] = fmaf(weight, v[i], sums[g][i]);
        }
      }
    }
    __syncthreads();
  }

  // The sharers' sums, one after the other, in the place of the queries.
  for (u32 turn = 0; turn < sharers; turn++) {
    if (sharer == turn) {
#pragma unroll
      for (int g = 0; g < GROUP; g++)
#pragma unroll
        for (int i = 0; i < E::COUNT; i++) {
          float* sum = query + g * a.cache_dim + piece * E::COUNT + i;
          *sum = turn == 0 ? sums[g][i] : *sum + sums[g][i];
        }
    }
    __syncthreads();
  }
  for (u32 i = threadIdx.x; i < heads * (a.head_dim + 2); i += THREADS) {
    const u32 g = i / (a.head_dim + 2), element = i % (a.head_dim + 2);
    const u64 part = ((u64)blockIdx.z * a.heads + first_head + g) * a.splits + blockIdx.x;
    float value = element == 0 ? largest[g] : total[g];
    if (element >= 2) value = query[g * a.cache_dim + element - 2];
    a.parts[part * (a.head_dim + 2) + element] = value;
  }
}

#define DECODE(name, E)                                            \
  KERNEL(decode_##name##_1, THREADS, Decode) { decode<E, 1>(a); } \
  KERNEL(decode_##name##_2, THREADS, Decode) { decode<E, 2>(a); } \
  KERNEL(decode_##name##_4, THREADS, Decode) { decode<E, 4>(a); } \
  KERNEL(decode_##name##_8, THREADS, Decode) { decode<E, 8>(a); }

DECODE(f32, F32)
DECODE(f16, F16)
DECODE(bf16, BF16)

// Puts the parts of a head together: a block has a head of a row.
KERNEL(decode_join, THREADS, Decode) {
  if (a.first_pages[blockIdx.y] == NONE) return;
  const u32 head = blockIdx.x, row = a.rows[blockIdx.y];
  const Seen seen = seen_from(a, row);
  const u32 count = (seen.end - seen.first + seen.part - 1) / seen.part;
  const float* parts = a.parts + ((u64)blockIdx.y * a.heads + head) * a.splits * (a.head_dim + 2);
  float largest = -LARGEST;
  for (u32 i = 0; i < count; i++) largest = fmaxf(largest, parts[i * (a.head_dim + 2)]);
  float total = 0.0f;
  for (u32 i = 0; i < count; i++) {
    const float* part = parts + i * (a.head_dim + 2);
    total += part[1] * expf(part[0] - largest);
  }
  float* out = a.out + (u64)row * a.out_stride + head * a.head_dim;
  for (u32 element = threadIdx.x; element < a.head_dim; element += THREADS) {
    float sum = 0.0f;
    for (u32 i = 0; i < count; i++) {
      const float* part = parts + i * (a.head_dim + 2);
      sum += part[2 + element] * expf(part[0] - largest);
    }
    out[element] = sum / total;
  }
}
