// Log-probabilities of drawn tokens: what normalises a row of raw logits, and its most likely tokens in order, the lowest id first
// among equal ones. The logarithm itself is the host's, so that it has the bits of the plugin API's reference sampler.
//
// A block has a row that was drawn from; rows that want none cost nothing. Nothing is sorted. Each thread knows the largest logit of
// those that it reads, and the n-th largest of these is a bound: at least n tokens are at or above it, and hardly more, since the most
// likely tokens are mostly read by different threads. In a second reading, which also sums the exponentials, they are kept, and each
// one's place is the number of those before it.
//
// Where more are at or above the bound than can be kept, so many that are equal or so many of one thread, the places are filled one
// after the other, with a reading of the row for each. That is slow and rare.

#define THREADS 1024
#define WARPS (THREADS / WARP)
// How many tokens are kept: one for each thread.
#define KEPT THREADS

// Orders logits, with both zeros equal. Never 0.
__device__ __forceinline__ u32 rank_of(float x) { return order_of(x == 0.0f ? 0.0f : x); }

// A number that is the larger the earlier a token comes.
__device__ __forceinline__ u64 key_of(u32 rank, u32 token) { return (u64)rank << 32 | (NONE - token); }

// The tokens of this thread: four after the other, which are loaded at once, from every 4096.
template <class Visit>
__device__ __forceinline__ void each_token(const float* logits, u32 vocabulary, Visit visit) {
  for (u32 first = 4 * threadIdx.x; first < vocabulary; first += 4 * THREADS) {
    float x[4];
    load_floats<4>(logits + first, x);
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
      if (first + i < vocabulary) visit(first + i, x[i]);
    }
  }
}

// The largest of a warp, in every lane.
template <class T>
__device__ __forceinline__ T warp_max(T x) {
#pragma unroll
  for (int step = WARP / 2; step > 0; step /= 2) {
    const T other = __shfl_xor_sync(ALL_LANES, x, step);
    x = other > x ? other : x;
  }
  return x;
}

// The largest of a block, in every thread. `room` has a number for each warp.
template <class T>
__device__ __forceinline__ T block_max(T x, u64* room) {
  x = warp_max(x);
  // Whoever still reads the last one has to be done.
  __syncthreads();
  if (lane_of() == 0) room[warp_of()] = x;
  __syncthreads();
  return warp_max((T)room[lane_of()]);
}

// The largest number that at least `count` threads have or exceed; 0 where so many threads have none.
__device__ __forceinline__ u32 nth_largest(u32 x, u32 count) {
  u32 found = 0;
  for (u32 bit = 1u << 31; bit > 0; bit >>= 1) {
    if ((u32)__syncthreads_count(x >= (found | bit)) >= count) found |= bit;
  }
  return found;
}

KERNEL(logprobs, THREADS, Draw) {
  __shared__ u64 kept[KEPT];
  __shared__ u64 room[WARPS];
  __shared__ double sums[WARPS];
  __shared__ u32 count;

  const Row row = a.rows[blockIdx.x];
  Drawn* drawn = a.drawn + blockIdx.x;
  if (row.first_top == NONE || drawn->status != 0) return;
  const float* logits = a.logits + (u64)row.row * a.stride;
  const u32 vocabulary = a.vocabulary;
  const u32 wanted = min(row.tops, vocabulary);
  Top* tops = a.tops + row.first_top;

  // The largest logit, and the first token whose logit is no number, counted from the end.
  u32 own = 0;
  u32 wrong = 0;
  each_token(logits, vocabulary, [&](u32 token, float x) {
    if (x <= LARGEST) {
      own = max(own, rank_of(x));
    } else {
      wrong = max(wrong, NONE - token);
    }
  });
  if (threadIdx.x == 0) count = 0;
  wrong = block_max(wrong, room);
  if (wrong) {
    if (threadIdx.x == 0) {
      drawn->token = NONE - wrong;
      drawn->status = 2;
    }
    return;
  }
  const float largest = finite(from_order(block_max(own, room)));
  const u32 bound = wanted ? nth_largest(own, wanted) : NONE;

  double sum = 0.0;
  each_token(logits, vocabulary, [&](u32 token, float x) {
    sum += (double)scaled_of(__fsub_rn(finite(x), largest));
    const u32 rank = rank_of(x);
    if (rank < bound) return;
    const u32 place = atomicAdd(&count, 1u);
    if (place < KEPT) kept[place] = key_of(rank, token);
  });
#pragma unroll
  for (int step = WARP / 2; step > 0; step /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, step);
  if (lane_of() == 0) sums[warp_of()] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (u32 i = 1; i < WARPS; i++) sum += sums[i];
    drawn->logit = logits[drawn->token];
    drawn->largest = largest;
    drawn->sum = sum;
  }

  if (count <= KEPT) {
    if (threadIdx.x >= count) return;
    const u64 key = kept[threadIdx.x];
    u32 place = 0;
    for (u32 i = 0; i < count; i++) place += kept[i] > key;
    if (place < wanted) {
      const u32 token = NONE - (u32)key;
      tops[place].token = token;
      tops[place].logit = logits[token];
    }
    return;
  }
  u64 last = ~(u64)0;
  for (u32 place = 0; place < wanted; place++) {
    u64 next = 0;
    each_token(logits, vocabulary, [&](u32 token, float x) {
      const u64 key = key_of(rank_of(x), token);
      if (key < last && key > next) next = key;
    });
    last = block_max(next, room);
    if (threadIdx.x == 0) {
      const u32 token = NONE - (u32)last;
      tops[place].token = token;
      tops[place].logit = logits[token];
    }
  }
}
