// Attention of many rows of one sequence (prefill) over the paged KV cache.
//
// A block has one query head of ROWS consecutive rows, and goes over the pages that the first of them can see up to the last one's, page
// by page: keys into shared memory, scores, running softmax, values into the same memory, weighted sums ("flash attention"; Dao et al.
// 2022). Pages are met at the same positions whatever the rows of the block are, so that how a prompt is cut into chunks doesn't
// change a row's bits.
//
// This is the plain version, in f32 on the ordinary units, for caches in f32 and for long heads; prefill_mma.cu is the one for others.

#define THREADS 128
#define ROWS 16
// The longest head: each thread has two elements of all rows.
#define MOST_ELEMENTS 256

template <class E>
__device__ __forceinline__ void load_page(const typename E::Stored* from, u32 cache_dim, float* to) {
  for (u32 i = threadIdx.x * E::COUNT; i < PAGE * cache_dim; i += THREADS * E::COUNT) {
    float x[E::COUNT];
    E::spread(load_stored(from + i), x);
    // Rows are an element longer than heads, so that a column of keys lies in different banks.
    float* at = to + i / cache_dim * (cache_dim + 1) + i % cache_dim;
#pragma unroll
    for (int n = 0; n < E::COUNT; n++) at[n] = x[n];
  }
}

template <class E>
__device__ __forceinline__ void prefill(const Prefill& a) {
  // Queries [ROWS][cache_dim], keys or values of a page [PAGE][cache_dim + 1].
  DYNAMIC_SHARED(shared);
  __shared__ float scores[ROWS][PAGE], factor[ROWS], total[ROWS];
  float* query = shared;
  float* page = shared + ROWS * a.cache_dim;

  const Tile tile = a.tiles[blockIdx.x];
  const u32 head = blockIdx.y;
  const u32 kv_head = head / (a.heads / a.kv_heads);
  for (u32 i = threadIdx.x; i < ROWS * a.cache_dim; i += THREADS) {
    const u32 row = i / a.cache_dim, element = i % a.cache_dim;
    const bool real = row < tile.rows && element < a.head_dim;
    query[i] = real ? a.qkv[(u64)(tile.row + row) * a.qkv_stride + head * a.head_dim + element] * a.scale : 0.0f;
  }
  float sums[ROWS][MOST_ELEMENTS / THREADS];
#pragma unroll
  for (int r = 0; r < ROWS; r++)
#pragma unroll
    for (int i = 0; i < MOST_ELEMENTS / THREADS; i++) sums[r][i] = 0.0f;
  // Half a warp has two rows of scores, lane by lane: what it keeps of them is in registers.
  const u32 half = threadIdx.x / PAGE, column = threadIdx.x % PAGE;
  float largest[2] = {-LARGEST, -LARGEST}, all[2] = {0.0f, 0.0f};

  const u32 seen = tile.position + 1;
  const u32 first = a.window && seen > a.window ? seen - a.window : 0;
  const u32 last = tile.position + tile.rows - 1;
  const u64 page_size = (u64)PAGE * a.cache_dim;
  for (u32 number = first / PAGE; number <= last / PAGE; number++) {
    const u64 place = ((u64)a.pages[tile.first_page + number] * a.kv_heads + kv_head) * page_size;
    __syncthreads();
    load_page<E>((const typename E::Stored*)a.keys + place, a.cache_dim, page);
    __syncthreads();
#pragma unroll
    for (int n = 0; n < 2; n++) {
      const u32 row = half + n * (THREADS / PAGE);
      float dot = 0.0f;
      for (u32 i = 0; i < a.cache_dim; i++)
        dot = fmaf(query[row * a.cache_dim + i], page[column * (a.cache_dim + 1) + i], dot);
      const u32 position = tile.position + row, other = number * PAGE + column;
      const bool sees = other <= position && (!a.window || other + a.window > position);
      float most = sees ? dot : -LARGEST;
#pragma unroll
      for (int step = PAGE / 2; step > 0; step /= 2) most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, step));
      most = fmaxf(most, largest[n]);
      const float weight = sees ? expf(dot - most) : 0.0f;
      float sum = weight;
#pragma unroll
      for (int step = PAGE / 2; step > 0; step /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, step);
      const float change = expf(largest[n] - most);
      all[n] = all[n] * change + sum;
      largest[n] = most;
      scores[row][column] = weight;
      if (column == 0) factor[row] = change;
    }
    __syncthreads();
    load_page<E>((const typename E::Stored*)a.values + place, a.cache_dim, page);
    __syncthreads();
    // What lies past the last row's position is anything, infinity too, and that times zero is no number.
    const u32 written = min((u32)PAGE, last + 1 - number * PAGE);
#pragma unroll
    for (int i = 0; i < MOST_ELEMENTS / THREADS; i++) {
      const u32 element = threadIdx.x + i * THREADS;
      if (element >= a.head_dim) continue;
#pragma unroll
      for (int r = 0; r < ROWS; r++) sums[r][i] *= factor[r];
      for (u32 t = 0; t < written; t++) {
        const float value = page[t * (a.cache_dim + 1) + element];
#pragma unroll
        for (int r = 0; r < ROWS; r++) sums[r][i] = fmaf(scores[r][t], value, sums[r][i]);
      }
    }
  }
  if (column == 0) {
#pragma unroll
    for (int n = 0; n < 2; n++) total[half + n * (THREADS / PAGE)] = all[n];
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < MOST_ELEMENTS / THREADS; i++) {
    const u32 element = threadIdx.x + i * THREADS;
#pragma unroll
    for (u32 r = 0; r < ROWS; r++) {
      if (element >= a.head_dim || r >= tile.rows) continue;
      const float x = sums[r][i] / total[r];
      store_activations<1>(a.out, (u64)(tile.row + r) * a.out_stride + head * a.head_dim + element, a.out_kind, &x);
    }
  }
}

KERNEL(prefill_f32, THREADS, Prefill) { prefill<F32>(a); }
KERNEL(prefill_f16, THREADS, Prefill) { prefill<F16>(a); }
KERNEL(prefill_bf16, THREADS, Prefill) { prefill<BF16>(a); }
