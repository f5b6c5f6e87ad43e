// What the parts of the bridge share: one Bridge a JavaScript environment, and cheap ways to read arguments.
#pragma once

// Only experimental modules get their finalizers run during the collection itself.
#define NAPI_VERSION 2147483647
#include <dnnl.h>
#include <node_api.h>
#include <pthread.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#if DNNL_VERSION_MAJOR != 2
#error "oneDNN 2.x is needed"
#endif
#if DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_OMP && DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_SEQ
#error "oneDNN with OpenMP or without threads is needed"
#endif

struct Matmul;
struct Conv;
struct Pool;

/// Prepared things by handle; the numbers of freed ones are used again.
template <typename T>
class Handles {
  std::vector<T*> all;  // null where free
  std::vector<int32_t> spare;

 public:
  int32_t add(T* item) {
    if (spare.empty()) {
      all.push_back(item);
      return static_cast<int32_t>(all.size() - 1);
    }
    const int32_t handle = spare.back();
    spare.pop_back();
    all[handle] = item;
    return handle;
  }
  T* find(int32_t handle) const {
    return handle < 0 || static_cast<size_t>(handle) >= all.size() ? nullptr : all[handle];
  }
  T* remove(int32_t handle) {
    T* item = find(handle);
    if (item == nullptr) return nullptr;
    all[handle] = nullptr;
    spare.push_back(handle);
    return item;
  }
  void clear() {
    for (T* item : all) delete item;
    all.clear();
    spare.clear();
  }
};

/// The state of one environment: the main thread and every worker have their own, so nothing here is locked.
struct Bridge {
  napi_env env = nullptr;

  // The shared memory: `memory` keeps it alive, `limit` is its reservation, not its present size.
  char* base = nullptr;
  double limit = 0;
  napi_ref memory = nullptr;

  dnnl_engine_t engine = nullptr;
  dnnl_stream_t stream = nullptr;
  Handles<Matmul> matmuls;
  Handles<Conv> convs;
  Handles<Pool> pools;
  char* scratch = nullptr;  // what convolutions reorder into; every call may write over it
  int64_t scratchBytes = 0;

  // Collected holders. Finalizers run on the thread of their environment, inside its collections.
  std::vector<int32_t> collected;
  std::vector<int64_t> slotBytes;
  int64_t unreported = 0;  // bytes the collector has not been told of
  uint32_t* pending = nullptr;
  int64_t watched = 0;
  bool closed = false;
};

/// Throws a JavaScript Error and returns what a failing native function must return.
napi_value fail(napi_env env, const char* format, ...) __attribute__((format(printf, 2, 3)));

inline const char* statusName(dnnl_status_t status) {
  switch (status) {
    case dnnl_success: return "success";
    case dnnl_out_of_memory: return "out of memory";
    case dnnl_invalid_arguments: return "invalid arguments";
    case dnnl_unimplemented: return "unimplemented";
    case dnnl_iterator_ends: return "iterator ends";
    case dnnl_runtime_error: return "runtime error";
    case dnnl_not_required: return "not required";
  }
  return "unknown status";
}

/// The arguments of a call that are all numbers but for those the caller reads itself.
template <size_t N>
struct Args {
  napi_env env;
  napi_value values[N];
  size_t count = N;
  Bridge* bridge = nullptr;

  Args(napi_env env, napi_callback_info info) : env(env) {
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, values, nullptr, &data);
    bridge = static_cast<Bridge*>(data);
  }

  /// A number, also one above 2^31; `invalid` where the argument is no number.
  double number(size_t i, double invalid = -1) const {
    double value;
    return napi_get_value_double(env, values[i], &value) == napi_ok ? value : invalid;
  }

  int32_t integer(size_t i, int32_t invalid = -1) const {
    int32_t value;
    return napi_get_value_int32(env, values[i], &value) == napi_ok ? value : invalid;
  }
};

/// Whether `bytes` from `address` lie in the attached memory; false for NaN.
inline bool inside(const Bridge& bridge, double address, double bytes) {
  return address >= 0 && bytes >= 0 && address + bytes <= bridge.limit;
}

inline char* at(const Bridge& bridge, double address) {
  return bridge.base + static_cast<size_t>(address);
}

extern "C" {
// Weak, because a oneDNN without threads brings no OpenMP.
__attribute__((weak)) void omp_set_num_threads(int);
__attribute__((weak)) int omp_get_max_threads();
}

/// While it lives, oneDNN stays on this thread: our own pool does the slicing.
class OneThread {
  int before = 1;

 public:
  OneThread() {
    if (omp_get_max_threads == nullptr || omp_set_num_threads == nullptr) return;
    before = omp_get_max_threads();
    if (before != 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (before != 1) omp_set_num_threads(before);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
};

/// While it lives, signals wait, where `on`. oneDNN's gemm kernels turn the stack pointer to a buffer of theirs, and a handler
/// that runs there (a profiler's, a terminal's) writes over the heap.
class NoSignals {
  const bool on;
  sigset_t before;

 public:
  explicit NoSignals(bool on) : on(on) {
    if (!on) return;
    sigset_t all;
    sigfillset(&all);
    // What a wrong instruction raises cannot wait.
    for (int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) sigdelset(&all, own);
    pthread_sigmask(SIG_BLOCK, &all, &before);
  }
  ~NoSignals() {
    if (on) pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
};

/// Gives a handle for what `prepare` makes of a Float64Array of so many numbers, or -1 where it refuses.
template <typename T, typename Prepare>
napi_value createHandle(napi_env env, napi_callback_info info, const char* name, size_t fields,
                        Handles<T> Bridge::*all, const Prepare& prepare) {
  Args<1> args(env, info);
  napi_typedarray_type type;
  size_t length = 0;
  void* spec = nullptr;
  if (napi_get_typedarray_info(env, args.values[0], &type, &length, &spec, nullptr, nullptr) !=
          napi_ok ||
      type != napi_float64_array || length != fields) {
    return fail(env, "[%s] needs a Float64Array of %zu numbers", name, fields);
  }
  int32_t handle = -1;
  T* item = new (std::nothrow) T;
  OneThread one;
  if (item != nullptr && prepare(static_cast<const double*>(spec), *item)) {
    handle = (args.bridge->*all).add(item);
  } else {
    delete item;
  }
  napi_value result;
  napi_create_int32(env, handle, &result);
  return result;
}

/// Gives a handle back.
template <typename T>
napi_value freeHandle(napi_env env, napi_callback_info info, const char* name,
                      Handles<T> Bridge::*all) {
  Args<1> args(env, info);
  const int32_t handle = args.integer(0);
  T* item = (args.bridge->*all).remove(handle);
  if (item == nullptr) return fail(env, "[%s] %d is no handle", name, handle);
  delete item;
  return nullptr;
}

// matmul.cpp
napi_value matmulCreate(napi_env env, napi_callback_info info);
napi_value matmulRun(napi_env env, napi_callback_info info);
napi_value matmulFree(napi_env env, napi_callback_info info);
void freeMatmuls(Bridge& bridge);

// conv.cpp
napi_value convCreate(napi_env env, napi_callback_info info);
napi_value convRun(napi_env env, napi_callback_info info);
napi_value convFree(napi_env env, napi_callback_info info);
void freeConvs(Bridge& bridge);

// pool.cpp
napi_value poolCreate(napi_env env, napi_callback_info info);
napi_value poolRun(napi_env env, napi_callback_info info);
napi_value poolFree(napi_env env, napi_callback_info info);
void freePools(Bridge& bridge);

// softmax.cpp
napi_value softmaxRun(napi_env env, napi_callback_info info);

// normalize.cpp
napi_value normalizeRun(napi_env env, napi_callback_info info);

// reaper.cpp
napi_value setPendingCounter(napi_env env, napi_callback_info info);
napi_value watch(napi_env env, napi_callback_info info);
napi_value forget(napi_env env, napi_callback_info info);
napi_value drain(napi_env env, napi_callback_info info);
