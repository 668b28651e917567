// Drawing tokens: from rows of logits to one token each, bit for bit as the plugin API's reference sampler draws them.
//
// That is possible because weights are integers, so that no sum depends on its order, and because the exponential is made of single
// multiplications and additions (`scaled_of`), none of them fused. Nothing is sorted: the thresholds of top-k and top-p are found digit by
// digit, with a histogram of counts and one of weights for each eight bits of the logits' order, and only where they are asked for.
//
// A block has a row. Each of its warps has a run of words of the mask, 32 tokens a word, one for each lane, and takes some words at once, so
// that it does not wait for the memory word by word; words without an allowed token cost nothing. The sums of the warps say in
// which warp's run the drawn token is, and that warp looks for it.
//
// What changes single tokens (bias, penalties, bans) comes as a list in the order of tokens, made by the host, and is applied to a
// copy of the row. The structures and the exponential stand in prelude.cuh: logprobs.cu reads what this has drawn.

#define THREADS 1024
#define WARPS (THREADS / WARP)
// Words that a warp loads at once.
#define AT_ONCE 8

// Stands in the place of a banned token's logit: a NaN that no arithmetic gives.
#define BANNED 0x7fc04a49u

__device__ __forceinline__ float bounded(float x) { return fminf(fmaxf(x, -LARGEST), LARGEST); }

// The weight as an integer, rounded down: what the reference draws with.
__device__ __forceinline__ u64 weight_of(float x) { return (u64)(long long)scaled_of(x); }

__device__ __forceinline__ u64 warp_sum_u64(u64 x) {
#pragma unroll
  for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(ALL_LANES, x, step);
  return x;
}

// The sum over the lanes up to this one.
__device__ __forceinline__ u64 warp_scan_u64(u64 x) {
#pragma unroll
  for (u32 step = 1; step < WARP; step *= 2) {
    const u64 other = __shfl_up_sync(ALL_LANES, x, step);
    if (lane_of() >= step) x += other;
  }
  return x;
}

// A row's candidates, as they are left so far.
struct Candidates {
  const float* values;
  const u32* mask;
  u32 vocabulary;
  // The words of this warp.
  u32 begin, end;
  float largest, temperature;
  u64 least_weight;
  float threshold;

  // Calls `f` with each word of this warp: whether the lane's token is allowed, and its logit. Until it gives true, the same in all lanes.
  template <class F>
  __device__ __forceinline__ void each(F f) const {
    for (u32 first = begin; first < end; first += AT_ONCE) {
      u32 allowed[AT_ONCE];
      float value[AT_ONCE];
#pragma unroll
      for (u32 n = 0; n < AT_ONCE; n++) {
        const u32 word = min(first + n, end - 1);
        allowed[n] = mask ? mask[word] : ALL_LANES;
      }
#pragma unroll
      for (u32 n = 0; n < AT_ONCE; n++) {
        const u32 token = (first + n) * WARP + lane_of();
        allowed[n] = first + n < end && token < vocabulary && (allowed[n] >> lane_of() & 1);
        value[n] = 0.0f;
        if (allowed[n]) value[n] = values[token];
      }
#pragma unroll
      for (u32 n = 0; n < AT_ONCE; n++)
        if (first + n < end && f(first + n, allowed[n] != 0, finite(value[n]))) return;
    }
  }

  // The weight of a token; 0 where it is no candidate.
  __device__ __forceinline__ u64 weight(bool allowed, float value) const {
    if (!allowed) return 0;
    const u64 weight = weight_of(__fdiv_rn(__fsub_rn(value, largest), temperature));
    return weight >= least_weight && value >= threshold ? weight : 0;
  }

  // The sum of this warp's weights, in every lane.
  __device__ __forceinline__ u64 sum() const {
    u64 sum = 0;
    each([&](u32, bool allowed, float value) {
      sum += weight(allowed, value);
      return false;
    });
    return warp_sum_u64(sum);
  }
};

struct Histogram {
  u64 weights[256];
  u32 counts[256];
  // The digit that was found, and how much is above it.
  u32 digit;
  u64 above;
  u64 wanted;
  bool found;
};

// The largest logit at which the candidates at or above it are enough: `top_k` of them, or `top_p` of their weight (where `top_k` is
// 0). The threshold that there is already, if all of them are not.
__device__ __forceinline__ float threshold_of(const Candidates& candidates, u32 top_k, float top_p, Histogram& h) {
  u32 prefix = 0;
  u64 above = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (u32 i = threadIdx.x; i < 256; i += THREADS) {
      h.weights[i] = 0;
      h.counts[i] = 0;
    }
    __syncthreads();
    candidates.each([&](u32, bool allowed, float value) {
      const u64 weight = candidates.weight(allowed, value);
      const u32 order = order_of(value);
      if (weight == 0 || (shift < 24 && order >> (shift + 8) != prefix)) return false;
      const u32 digit = order >> shift & 255;
      if (top_k) {
        atomicAdd(&h.counts[digit], 1u);
      } else {
        atomicAdd(&h.weights[digit], weight);
      }
      return false;
    });
    __syncthreads();
    // The first warp: each lane has eight digits, lane 0 the largest.
    if (warp_of() == 0) {
      u64 mine = 0;
      const u32 first = 255 - 8 * lane_of();
      for (u32 i = 0; i < 8; i++) mine += top_k ? h.counts[first - i] : h.weights[first - i];
      const u64 until = above + warp_scan_u64(mine);
      const u64 total = __shfl_sync(ALL_LANES, until, WARP - 1);
      u64 wanted = top_k;
      if (!top_k) {
        // Of the whole, which only the first digit sees.
        wanted = shift == 24 ? (u64)ceil((double)top_p * (double)total) : h.wanted;
        wanted = wanted < 1 ? 1 : wanted;
        if (shift == 24 && wanted > total) wanted = total;
      }
      __syncwarp();
      if (lane_of() == 0) {
        h.wanted = wanted;
        h.found = total >= wanted;
      }
      u64 before = until - mine;
      if (before < wanted && until >= wanted) {
        for (u32 i = 0; i < 8; i++) {
          const u64 here = top_k ? h.counts[first - i] : h.weights[first - i];
          if (before + here >= wanted) {
            h.digit = first - i;
            h.above = before;
            break;
          }
          before += here;
        }
      }
    }
    __syncthreads();
    if (!h.found) return candidates.threshold;
    prefix = prefix << 8 | h.digit;
    above = h.above;
    // The histogram is emptied next.
    __syncthreads();
  }
  return from_order(prefix);
}

// Applies the edits of a row to a copy of it. The thread of a token's first edit applies all of them, in their order.
__device__ __forceinline__ void edit(const Draw& a, const Row& row, const float* logits, float* copy) {
  for (u32 i = threadIdx.x; i < a.vocabulary; i += THREADS) copy[i] = logits[i];
  __syncthreads();
  const Edit* edits = a.edits + row.first_edit;
  for (u32 i = threadIdx.x; i < row.edits; i += THREADS) {
    const u32 token = edits[i].token;
    if (i > 0 && edits[i - 1].token == token) continue;
    float value = copy[token];
    for (u32 n = i; n < row.edits && edits[n].token == token; n++) {
      if (edits[n].kind == 2) {
        value = __uint_as_float(BANNED);
      } else if (!(value <= LARGEST)) {
        // Not a number: it stays, to be reported.
        continue;
      } else if (edits[n].kind == 0) {
        value = bounded(__fadd_rn(finite(value), __uint_as_float(edits[n].bits)));
      } else {
        value = finite(value);
        value = value > 0.0f ? __fdiv_rn(value, row.repetition) : __fmul_rn(value, row.repetition);
        value = __fsub_rn(value, __fmul_rn(row.frequency, (float)edits[n].bits));
        if (edits[n].bits > 0) value = __fsub_rn(value, row.presence);
        value = bounded(value);
      }
    }
    copy[token] = value;
  }
  __syncthreads();
}

KERNEL(draw, THREADS, Draw) {
  __shared__ float warp_largest[WARPS];
  __shared__ u32 warp_wrong[WARPS], warp_first[WARPS];
  __shared__ u64 warp_sums[WARPS];
  __shared__ Histogram histogram;

  const Row row = a.rows[blockIdx.x];
  Drawn* drawn = a.drawn + blockIdx.x;
  Candidates candidates;
  candidates.values = a.logits + (u64)row.row * a.stride;
  if (row.edits) {
    float* copy = a.copies + (u64)row.copy * a.vocabulary;
    edit(a, row, candidates.values, copy);
    candidates.values = copy;
  }
  const u32 words = (a.vocabulary + WARP - 1) / WARP;
  const u32 share = (words + WARPS - 1) / WARPS;
  candidates.mask = row.mask == NONE ? 0 : a.masks + row.mask;
  candidates.vocabulary = a.vocabulary;
  candidates.begin = min(warp_of() * share, words);
  candidates.end = min(candidates.begin + share, words);
  candidates.temperature = row.temperature;
  candidates.least_weight = row.least_weight;
  candidates.threshold = -LARGEST;

  // The largest logit, and the first token whose logit is no number. Not-a-number marks that there is none yet.
  float largest = __uint_as_float(BANNED);
  u32 wrong = NONE;
  candidates.each([&](u32 word, bool allowed, float value) {
    if (allowed && value <= LARGEST) {
      largest = fmaxf(largest, value);
    } else if (allowed && __float_as_uint(value) != BANNED) {
      wrong = min(wrong, word * WARP + lane_of());
    }
    return false;
  });
#pragma unroll
  for (int step = WARP / 2; step > 0; step /= 2) {
    largest = fmaxf(largest, __shfl_xor_sync(ALL_LANES, largest, step));
    wrong = min(wrong, __shfl_xor_sync(ALL_LANES, wrong, step));
  }
  if (lane_of() == 0) {
    warp_largest[warp_of()] = largest;
    warp_wrong[warp_of()] = wrong;
  }
  __syncthreads();
  for (u32 i = 0; i < WARPS; i++) {
    largest = fmaxf(largest, warp_largest[i]);
    wrong = min(wrong, warp_wrong[i]);
  }
  if (wrong != NONE || !(largest <= LARGEST)) {
    if (threadIdx.x == 0) {
      drawn->token = wrong;
      drawn->status = wrong != NONE ? 2 : 1;
    }
    return;
  }
  candidates.largest = largest;

  if (row.temperature == 0.0f) {
    // The lowest id among those with the largest logit.
    u32 first = NONE;
    candidates.each([&](u32 word, bool allowed, float value) {
      if (allowed && value == largest) first = min(first, word * WARP + lane_of());
      return false;
    });
#pragma unroll
    for (int step = WARP / 2; step > 0; step /= 2) first = min(first, __shfl_xor_sync(ALL_LANES, first, step));
    if (lane_of() == 0) warp_first[warp_of()] = first;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (u32 i = 0; i < WARPS; i++) first = min(first, warp_first[i]);
      drawn->token = first;
      drawn->status = 0;
    }
    return;
  }

  if (row.top_k) candidates.threshold = threshold_of(candidates, row.top_k, 1.0f, histogram);
  if (row.top_p < 1.0f) candidates.threshold = threshold_of(candidates, 0, row.top_p, histogram);

  const u64 own = candidates.sum();
  if (lane_of() == 0) warp_sums[warp_of()] = own;
  __syncthreads();
  u64 total = 0, before = 0;
  for (u32 i = 0; i < WARPS; i++) {
    if (i < warp_of()) before += warp_sums[i];
    total += warp_sums[i];
  }
  u64 target = (u64)((double)row.uniform * (double)total);
  if (target > total - 1) target = total - 1;
  if (before > target || before + own <= target) return;
  candidates.each([&](u32 word, bool allowed, float value) {
    const u64 until = before + warp_scan_u64(candidates.weight(allowed, value));
    // The first lane past the target has the token.
    const u32 past = __ballot_sync(ALL_LANES, until > target);
    if (past && lane_of() == 0) {
      drawn->token = word * WARP + __ffs((int)past) - 1;
      drawn->status = 0;
    }
    before = __shfl_sync(ALL_LANES, until, WARP - 1);
    return past != 0;
  });
}
