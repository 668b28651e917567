// CUDA's words for a C++ compiler: the kernels of ../../kernels run on the CPU, one fiber for each thread of a block.
//
// Blocks run one after the other. Fibers run in the order of their threads, and backwards in every other round, so that kernels that
// rely on an order between two barriers give other numbers. What hardware leaves undefined is an error here: a barrier or an
// exchange within a warp that some of its threads never reach, and blocks in which nobody can go on. Dynamic shared memory is
// full of NaN at the start of a block.
//
// Wide loads must be aligned, and memory past the end of an allocation is out of reach (`Guarded` in memory.rs).
//
// Not seen: races that the two orders don't show, narrow loads that are misaligned, memory of another allocation.

#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>
#include <vector>

// So that the kernels leave out what is written in PTX.
#define JIG_EMULATED 1
#define __device__
#define __forceinline__ inline
#define __shared__ static thread_local

struct uint4 {
  unsigned x, y, z, w;
};
struct uint2 {
  unsigned x, y;
};
struct Index {
  unsigned x, y, z;
};

namespace emulator {

const unsigned WARP_LANES = 32;
const size_t STACK = 128 << 10;

// The calls that threads meet at.
enum class Meeting { PREVIOUS, BLOCK, COUNT, WARP, XOR, UP, FROM, BALLOT };

struct Fiber {
  Index thread;
  unsigned number;
  ucontext_t begin;
  jmp_buf place;
  bool started, done;
  // What it waits for: until a generation is over.
  const uint64_t* waits_for;
  uint64_t generation;
};

// A barrier, of a block or of a warp. Values that are exchanged at it are kept for two generations, since a thread
// may be at the next one before the others have read those of this one.
struct Barrier {
  uint64_t generation;
  unsigned arrived;
  Meeting meeting;
  uint64_t values[2][WARP_LANES];
};

struct Machine {
  std::vector<Fiber> fibers;
  std::vector<char> stacks;
  std::vector<Barrier> warps;
  std::vector<float> shared;
  Barrier block_barrier;
  // What is counted at it, for two generations as well.
  unsigned counts[2];
  Index block, block_size;
  unsigned running;
  // Whether a thread of the block has waited for the kernel before it.
  bool waited;
  Fiber* current;
  jmp_buf scheduler;
  const char* failure;
  void (*body)(const void*);
  const void* arguments;
  // Which blocks run: all (0), the first one (1) or the others (2). The first one alone calls something once all of its threads wait for the
  // kernel before.
  int part;
  void (*waits)(void*);
  void* waits_argument;
};

inline Machine& machine() {
  static thread_local Machine machine;
  return machine;
}

inline void leave() {
  Machine& m = machine();
  if (_setjmp(m.current->place) == 0) _longjmp(m.scheduler, 1);
}

[[noreturn]] inline void fail(const char* what) {
  Machine& m = machine();
  m.failure = what;
  _longjmp(m.scheduler, 1);
}

// Arrives at a barrier of `expected` threads and waits for the others. Returns the generation.
inline uint64_t arrive(Barrier& barrier, unsigned expected, Meeting meeting) {
  Fiber* self = machine().current;
  if (barrier.arrived > 0 && barrier.meeting != meeting) fail("threads wait for each other in different calls");
  barrier.meeting = meeting;
  const uint64_t generation = barrier.generation;
  if (++barrier.arrived >= expected) {
    if (meeting == Meeting::PREVIOUS) machine().waits(machine().waits_argument);
    barrier.arrived = 0;
    barrier.generation++;
  } else {
    self->waits_for = &barrier.generation;
    self->generation = generation;
    leave();
  }
  return generation;
}

inline Barrier& own_warp() { return machine().warps[machine().current->number / WARP_LANES]; }

template <class T>
inline T exchange(unsigned mask, T value, unsigned from, Meeting meeting) {
  if (mask != 0xffffffffu) fail("an exchange between some lanes of a warp only is not emulated");
  Barrier& warp = own_warp();
  const unsigned lane = machine().current->number % WARP_LANES;
  memcpy(&warp.values[warp.generation & 1][lane], &value, sizeof value);
  const uint64_t generation = arrive(warp, WARP_LANES, meeting);
  T result;
  memcpy(&result, &warp.values[generation & 1][from], sizeof result);
  return result;
}

inline void enter() {
  Machine& m = machine();
  m.body(m.arguments);
  // The machine may have moved on to this fiber many times since.
  Machine& now = machine();
  now.current->done = true;
  now.running--;
  _longjmp(now.scheduler, 1);
}

inline void run(Fiber& fiber) {
  Machine& m = machine();
  m.current = &fiber;
  if (_setjmp(m.scheduler) != 0) return;
  if (!fiber.started) {
    fiber.started = true;
    setcontext(&fiber.begin);
    abort();
  }
  _longjmp(fiber.place, 1);
}

inline void run_block() {
  Machine& m = machine();
  const unsigned count = m.block_size.x;
  m.running = count;
  m.block_barrier = Barrier{};
  m.warps.assign((count + WARP_LANES - 1) / WARP_LANES, Barrier{});
  for (unsigned i = 0; i < count; i++) {
    Fiber& fiber = m.fibers[i];
    fiber.number = i;
    fiber.thread = Index{i, 0, 0};
    fiber.started = fiber.done = false;
    fiber.waits_for = nullptr;
    getcontext(&fiber.begin);
    fiber.begin.uc_stack.ss_sp = m.stacks.data() + i * STACK;
    fiber.begin.uc_stack.ss_size = STACK;
    fiber.begin.uc_link = nullptr;
    makecontext(&fiber.begin, enter, 0);
  }
  for (bool forward = true; m.running > 0 && !m.failure; forward = !forward) {
    bool progress = false;
    for (unsigned i = 0; i < count && !m.failure; i++) {
      Fiber& fiber = m.fibers[forward ? i : count - 1 - i];
      if (fiber.done || (fiber.waits_for && *fiber.waits_for == fiber.generation)) continue;
      fiber.waits_for = nullptr;
      progress = true;
      run(fiber);
    }
    if (!progress) {
      // A barrier of the block counts the threads that are left; all others want everybody.
      if (m.block_barrier.arrived > 0 && m.block_barrier.arrived == m.running) {
        if (m.block_barrier.meeting == Meeting::PREVIOUS) m.waits(m.waits_argument);
        m.block_barrier.arrived = 0;
        m.block_barrier.generation++;
      } else {
        m.failure = "threads wait for others that never come";
      }
    }
  }
}

// Floats behind a block's dynamic shared memory that have to stay as they are.
const size_t BEHIND = 64;

inline float* aligned(float* at) { return (float*)(((uintptr_t)at + 15) & ~(uintptr_t)15); }

// Runs a grid. Returns what went wrong, or null.
inline const char* launch(void (*body)(const void*), const void* arguments, unsigned threads, const unsigned* grid, unsigned shared) {
  Machine& m = machine();
  if (m.fibers.size() < threads) {
    m.fibers.resize(threads);
    m.stacks.resize(threads * STACK);
  }
  m.body = body;
  m.arguments = arguments;
  m.block_size = Index{threads, 1, 1};
  m.failure = nullptr;
  for (unsigned z = 0; z < grid[2]; z++)
    for (unsigned y = 0; y < grid[1]; y++)
      for (unsigned x = 0; x < grid[0]; x++) {
        const bool first = x == 0 && y == 0 && z == 0;
        if (m.part != 0 && first != (m.part == 1)) continue;
        m.block = Index{x, y, z};
        const size_t asked = (shared + 15) / 16 * 4;
        m.shared.assign(4 + asked + BEHIND, NAN);
        float* behind = aligned(m.shared.data()) + asked;
        memset(behind, 0xa5, BEHIND * sizeof *behind);
        m.waited = false;
        run_block();
        if (m.failure) return m.failure;
        if (!m.waited) return "no thread of a block waits for the kernel before it";
        for (size_t i = 0; i < BEHIND * sizeof *behind; i++)
          if (((unsigned char*)behind)[i] != 0xa5) return "more shared memory is written than was asked for";
      }
  return nullptr;
}


}  // namespace emulator

#define threadIdx (emulator::machine().current->thread)
#define blockIdx (emulator::machine().block)
#define blockDim (emulator::machine().block_size)

#define EARLY_KERNEL(name, threads, blocks, Structure)                                                                \
  static void name##_body(const Structure& a);                                                                        \
  static void name##_enter(const void* arguments) { name##_body(*(const Structure*)arguments); }                      \
  extern "C" size_t name##_size() { return sizeof(Structure); }                                                        \
  extern "C" const char* name(const unsigned* grid, unsigned count, unsigned shared, const void* arguments, size_t size) { \
    if (size != sizeof(Structure)) return "its arguments have another size than its structure";                      \
    if (count != threads) return "it is launched with another number of threads than it was compiled for";           \
    return emulator::launch(name##_enter, arguments, threads, grid, shared);                                          \
  }                                                                                                                   \
  static void name##_body(const Structure& a)

#define DYNAMIC_SHARED(name) float* name = emulator::aligned(emulator::machine().shared.data())

// What the next launch of this thread is like.
extern "C" void emulator_prepare(int part, void (*waits)(void*), void* argument) {
  emulator::Machine& m = emulator::machine();
  m.part = part;
  m.waits = waits;
  m.waits_argument = argument;
}

inline void wait_for_previous() {
  emulator::Machine& m = emulator::machine();
  m.waited = true;
  if (m.waits) emulator::arrive(m.block_barrier, m.running, emulator::Meeting::PREVIOUS);
}

inline void __syncthreads() {
  emulator::Machine& m = emulator::machine();
  emulator::arrive(m.block_barrier, m.running, emulator::Meeting::BLOCK);
}
inline int __syncthreads_count(int yes) {
  emulator::Machine& m = emulator::machine();
  unsigned& count = m.counts[m.block_barrier.generation & 1];
  if (m.block_barrier.arrived == 0) count = 0;
  count += yes != 0;
  const uint64_t generation = emulator::arrive(m.block_barrier, m.running, emulator::Meeting::COUNT);
  return (int)emulator::machine().counts[generation & 1];
}
inline void __syncwarp() { emulator::exchange(0xffffffffu, 0u, 0, emulator::Meeting::WARP); }

template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int other) {
  return emulator::exchange(mask, value, (emulator::machine().current->number % 32) ^ other, emulator::Meeting::XOR);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned distance) {
  const unsigned lane = emulator::machine().current->number % 32;
  return emulator::exchange(mask, value, lane >= distance ? lane - distance : lane, emulator::Meeting::UP);
}
template <class T>
inline T __shfl_sync(unsigned mask, T value, int from) {
  return emulator::exchange(mask, value, from & 31, emulator::Meeting::FROM);
}
inline unsigned __ballot_sync(unsigned mask, bool yes) {
  unsigned all = 0;
  emulator::Barrier& warp = emulator::own_warp();
  const uint64_t generation = warp.generation;
  emulator::exchange(mask, yes ? 1u : 0u, 0, emulator::Meeting::BALLOT);
  for (unsigned lane = 0; lane < 32; lane++) all |= (unsigned)(warp.values[generation & 1][lane] & 1) << lane;
  return all;
}

template <class T>
inline T atomicAdd(T* at, T value) {
  const T before = *at;
  *at += value;
  return before;
}

inline unsigned __float_as_uint(float x) {
  unsigned bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }

inline uint4 load_once(const void* at) {
  if ((uintptr_t)at % 16 != 0) emulator::fail("a load of 16 bytes from an address that is no multiple of 16");
  uint4 value;
  memcpy(&value, at, sizeof value);
  return value;
}

inline uint4 load_stored(const void* at) { return load_once(at); }
inline uint4 load_written(const void* at) { return load_once(at); }
inline float load_written_4(const void* at) { return *(const float*)at; }
inline void __threadfence() {}

inline unsigned load_once_4(const void* at) {
  if ((uintptr_t)at % 4 != 0) emulator::fail("a load of 4 bytes from an address that is no multiple of 4");
  unsigned value;
  memcpy(&value, at, sizeof value);
  return value;
}

inline uint2 load_once_8(const void* at) {
  if ((uintptr_t)at % 8 != 0) emulator::fail("a load of 8 bytes from an address that is no multiple of 8");
  uint2 value;
  memcpy(&value, at, sizeof value);
  return value;
}

inline float widen_bf16(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }
inline float widen_f16(unsigned short bits);

// What mma.m16n8k16 computes. A lane has of the first operand rows lane / 4 and 8 more, and columns 2 (lane mod 4), the next one, and
// 8 more; of the second one column lane / 4, and the same elements; of the result both rows, and columns 2 (lane mod 4) and the next.
inline void multiply(float (*widen)(unsigned short), float* c, const unsigned* a, const unsigned* b) {
  struct Operands {
    unsigned a[4], b[2];
  };
  static thread_local Operands room[32][32];
  const unsigned number = emulator::machine().current->number, lane = number % 32;
  Operands* warp = room[number / 32];
  memcpy(warp[lane].a, a, sizeof warp[lane].a);
  memcpy(warp[lane].b, b, sizeof warp[lane].b);
  __syncwarp();
  for (unsigned i = 0; i < 4; i++) {
    const unsigned row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    float sum = c[i];
    for (unsigned k = 0; k < 16; k++) {
      const unsigned part = k / 8, owner = k % 8 / 2, shift = k % 2 * 16;
      const unsigned left = warp[row % 8 * 4 + owner].a[row / 8 + part * 2] >> shift;
      const unsigned right = warp[column * 4 + owner].b[part] >> shift;
      sum += widen((unsigned short)left) * widen((unsigned short)right);
    }
    c[i] = sum;
  }
  __syncwarp();
}
inline void multiply_f16(float* c, const unsigned* a, const unsigned* b) { multiply(widen_f16, c, a, b); }
inline void multiply_bf16(float* c, const unsigned* a, const unsigned* b) { multiply(widen_bf16, c, a, b); }
inline void multiply_f16_only(float* c, const unsigned* a, const unsigned* b) {
  for (int i = 0; i < 4; i++) c[i] = 0.0f;
  multiply_f16(c, a, b);
}
inline void multiply_bf16_only(float* c, const unsigned* a, const unsigned* b) {
  for (int i = 0; i < 4; i++) c[i] = 0.0f;
  multiply_bf16(c, a, b);
}

inline float power_of_2(float x) { return exp2f(x); }

typedef uintptr_t Place;
inline Place place_of(const void* at) { return (Place)at; }

// Copies are made as late as they may be: when they are waited for. A kernel that doesn't sees what was there before.
struct Copy {
  void* to;
  const void* from;
  bool real;
};
inline std::vector<Copy>& copies() {
  static thread_local std::vector<Copy> of_threads[1024];
  return of_threads[emulator::machine().current->number];
}
inline void copy_async(Place to, const void* from, bool real) {
  if (to % 16 != 0 || (uintptr_t)from % 16 != 0) emulator::fail("a copy of 16 bytes to or from an address that is no multiple of 16");
  copies().push_back(Copy{(void*)to, from, real});
}
inline void wait_for_copies() {
  for (const Copy& copy : copies()) {
    if (copy.real)
      memcpy(copy.to, copy.from, 16);
    else
      memset(copy.to, 0, 16);
  }
  copies().clear();
}

// What ldmatrix.x4 loads.
inline void load_matrices(Place row, unsigned* out, bool transposed) {
  static thread_local const unsigned short* room[32][32];
  const unsigned number = emulator::machine().current->number, lane = number % 32;
  const unsigned short** rows = room[number / 32];
  rows[lane] = (const unsigned short*)row;
  __syncwarp();
  for (unsigned matrix = 0; matrix < 4; matrix++) {
    const auto element = [=](unsigned row, unsigned column) { return (unsigned)rows[matrix * 8 + row][column]; };
    const unsigned one = lane / 4, two = lane % 4 * 2;
    out[matrix] = transposed ? element(two, one) | element(two + 1, one) << 16 : element(one, two) | element(one, two + 1) << 16;
  }
  __syncwarp();
}
inline void load_matrices(Place row, unsigned* out) { load_matrices(row, out, false); }
inline void load_matrices_transposed(Place row, unsigned* out) { load_matrices(row, out, true); }

inline float widen_f16(unsigned short bits) {
  const unsigned sign = (unsigned)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
  return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
}

inline unsigned short narrow_f16(float x) {
  const unsigned bits = __float_as_uint(x), sign = bits >> 16 & 0x8000;
  const unsigned magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (unsigned short)(sign | 0x7e00);
  // From half of the last place above the largest on, numbers are rounded to infinity.
  if (magnitude >= 0x477ff000) return (unsigned short)(sign | 0x7c00);
  if (magnitude < 0x38800000) return (unsigned short)(sign | (unsigned)nearbyintf(__uint_as_float(magnitude) * 0x1p24f));
  return (unsigned short)(sign | (((magnitude + 0xfff + (magnitude >> 13 & 1)) >> 13) - (112 << 10)));
}

inline unsigned short narrow_bf16(float x) {
  const unsigned bits = __float_as_uint(x);
  return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline unsigned narrow_bf16x2(float low, float high) {
  const auto one = [](float x) { return std::isnan(x) ? 0x7fffu : (unsigned)narrow_bf16(x); };
  return one(low) | one(high) << 16;
}

// In double, products and sums of such numbers of f16 are exact; those of bf16 where they are not far apart, as the kernels have them.
inline unsigned multiply_add(float (*widen)(unsigned short), unsigned short (*narrow)(float), unsigned a, unsigned b, unsigned c) {
  const auto one = [=](int place) {
    const auto half = [=](unsigned two) { return (double)widen((unsigned short)(two >> place)); };
    return (unsigned)narrow((float)(half(a) * half(b) + half(c))) << place;
  };
  return one(0) | one(16);
}
inline unsigned multiply_add_f16x2(unsigned a, unsigned b, unsigned c) { return multiply_add(widen_f16, narrow_f16, a, b, c); }
inline unsigned multiply_add_bf16x2(unsigned a, unsigned b, unsigned c) { return multiply_add(widen_bf16, narrow_bf16, a, b, c); }
