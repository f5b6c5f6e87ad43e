// Batched matrix products with an epilogue: a description becomes a prepared product, which runs by addresses alone.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "bridge.h"
#include "widest.h"

namespace {

enum Activation { none = 0, relu = 1, sigmoid = 2, tanhAct = 3, softrelu = 4, activations = 5 };
enum Field { fDtype, fBatch, fM, fN, fK, fLhs, fRhs = 8, fOut = 11, fBias = 14, fBiasStrides = 15,
             fActivation = 18, fAccumulate = 19, fields = 20 };

/// A stack of matrices as BLAS wants them: one of the two inner strides is 1, the other is `ld`.
struct Matrix {
  int64_t batchStride = 0, ld = 0;
  bool transposed = false;

  /// False for what BLAS cannot address: two inner strides above 1, or rows that overlap.
  bool set(int64_t rows, int64_t cols, int64_t batch, int64_t row, int64_t col) {
    batchStride = batch;
    transposed = false;
    if ((col == 1 || cols == 1) && (rows == 1 || row >= cols)) {
      ld = rows == 1 ? cols : row;
      return true;
    }
    transposed = true;
    ld = cols == 1 ? rows : col;
    return (row == 1 || rows == 1) && (cols == 1 || col >= rows);
  }
};

}  // namespace

/// A prepared product. `lhs` and `rhs` have changed places where `swapped`, so that `out` is row-major.
struct Matmul {
  int64_t batch, m, n, k;
  Matrix lhs, rhs, out;
  bool swapped = false;
  bool hasBias = false;
  bool prefill = false;  // the bias is written into `out` first, and the product added to it
  int64_t biasBatch = 0, biasRow = 0, biasCol = 0;
  int activation = none;
  bool accumulate = false;

  double bytes[4] = {};  // what lhs, rhs, out and bias span, in the caller's order
  dnnl_primitive_t primitive = nullptr;  // null: dnnl_sgemm, with bias and relu done here
  bool gemm = true;                      // the packed gemm, or brgemm
  dnnl_memory_t memories[4] = {};        // lhs, rhs, out, bias
  dnnl_exec_arg_t arguments[4] = {};
  int argumentCount = 0;

  ~Matmul() {
    for (dnnl_memory_t memory : memories) {
      if (memory != nullptr) dnnl_memory_destroy(memory);
    }
    if (primitive != nullptr) dnnl_primitive_destroy(primitive);
  }

  bool adds() const { return accumulate || prefill; }
  bool primitiveBias() const { return hasBias && !prefill; }
};

namespace {

double span(int64_t batch, int64_t rows, int64_t cols, int64_t sb, int64_t sr, int64_t sc) {
  return 4.0 * (1.0 + static_cast<double>(batch - 1) * sb + static_cast<double>(rows - 1) * sr +
                static_cast<double>(cols - 1) * sc);
}

/// Brings a description to a row-major output; false where neither BLAS nor oneDNN can address it.
bool describe(const double* spec, Matmul& p) {
  int64_t f[fields];
  for (int i = 0; i < fields; i++) {
    // Above 2^40 no product of a size and a stride could be trusted; none is within 4 GiB.
    if (!(spec[i] >= 0 && spec[i] < 0x1p40) || spec[i] != std::floor(spec[i])) return false;
    f[i] = static_cast<int64_t>(spec[i]);
  }
  if (f[fDtype] != 0 || f[fBias] > 3 || f[fActivation] >= activations || f[fAccumulate] > 1) {
    return false;
  }
  p.batch = f[fBatch];
  p.m = f[fM];
  p.n = f[fN];
  p.k = f[fK];
  if (p.batch < 1 || p.m < 1 || p.n < 1 || p.k < 1) return false;
  p.hasBias = f[fBias] != 0;
  p.biasBatch = f[fBias] == 3 ? f[fBiasStrides] : 0;
  p.biasRow = f[fBias] == 2 ? 1 : f[fBias] == 3 ? f[fBiasStrides + 1] : 0;
  p.biasCol = f[fBias] == 1 ? 1 : f[fBias] == 3 ? f[fBiasStrides + 2] : 0;
  p.activation = static_cast<int>(f[fActivation]);
  p.accumulate = f[fAccumulate] != 0;
  p.bytes[0] = span(p.batch, p.m, p.k, f[fLhs], f[fLhs + 1], f[fLhs + 2]);
  p.bytes[1] = span(p.batch, p.k, p.n, f[fRhs], f[fRhs + 1], f[fRhs + 2]);
  p.bytes[2] = span(p.batch, p.m, p.n, f[fOut], f[fOut + 1], f[fOut + 2]);
  if (p.hasBias) p.bytes[3] = span(p.batch, p.m, p.n, p.biasBatch, p.biasRow, p.biasCol);

  if (p.batch > 1 && f[fOut] == 0) return false;
  if (!p.lhs.set(p.m, p.k, f[fLhs], f[fLhs + 1], f[fLhs + 2])) return false;
  if (!p.rhs.set(p.k, p.n, f[fRhs], f[fRhs + 1], f[fRhs + 2])) return false;
  if (!p.out.set(p.m, p.n, f[fOut], f[fOut + 1], f[fOut + 2])) return false;
  if (p.out.transposed) {
    // out^T = rhs^T lhs^T
    p.swapped = true;
    std::swap(p.m, p.n);
    std::swap(p.lhs, p.rhs);
    std::swap(p.biasRow, p.biasCol);
    p.lhs.transposed = !p.lhs.transposed;
    p.rhs.transposed = !p.rhs.transposed;
    p.out.transposed = false;
  }
  const bool stacked = p.batch > 1 && p.rhs.batchStride == 0 && !p.lhs.transposed &&
                       p.lhs.batchStride == p.m * p.lhs.ld && p.out.batchStride == p.m * p.out.ld &&
                       (!p.hasBias || p.biasBatch == p.m * p.biasRow);
  if (stacked) {
    p.m *= p.batch;
    p.batch = 1;
  }
  p.prefill = p.hasBias && !((p.batch == 1 || p.biasBatch == 0) && (p.m == 1 || p.biasRow == 0) &&
                             (p.n == 1 || p.biasCol == 1));
  return true;
}

bool sgemmCanFinish(const Matmul& p) { return p.activation == none || p.activation == relu; }

/// Passes over the output of our own cost more than oneDNN's fused ones when it leaves the first cache.
bool sgemmFinishesFast(const Matmul& p) {
  return sgemmCanFinish(p) &&
         ((!p.hasBias && p.activation == none) || p.m * p.n * p.batch <= 16384);
}

/// Whether the packed gemm beats the brgemm kernels; learned by measuring, see README.md.
bool gemmIsFaster(const Matmul& p) {
  const bool tl = p.lhs.transposed, tr = p.rhs.transposed;
  const bool bare = !p.hasBias && p.activation == none, own = sgemmFinishesFast(p);
  // A stack runs gemm by gemm, which brgemm's single call beats unless each one is large.
  const bool stack = p.batch > 1;
  if (p.m == 1) return !stack || p.n * p.k >= (tr ? 2048 : 65536);
  if (p.n == 1) return stack ? own && p.m * p.k >= 1024 : own || tl;
  if (p.n >= 512 && p.k >= 512) {
    // Packing pays off over many rows; with few, brgemm reads the weights as they lie.
    if (tl) return !tr || p.k >= 1024;
    if (tr) return p.m < 8 || (p.m >= 256 && p.k >= 1024);
    const bool large = p.n >= 1024 && p.k >= 1024;
    return p.m < (p.n < 1024 && p.k < 1024 ? 48 : 16) || (p.m >= 128 && large);
  }
  if (stack) return bare && tl && p.n <= 16 && p.m >= 256;
  if (tr && !tl) return p.m < (own ? 16 : 8);
  if (tl && p.n <= 64 && (!tr || p.m >= 64)) return bare || p.k >= 256 || (own && p.n <= 16);
  return false;
}

dnnl_alg_kind_t algorithm(int activation) {
  switch (activation) {
    case sigmoid: return dnnl_eltwise_logistic;
    case tanhAct: return dnnl_eltwise_tanh;
    case softrelu: return dnnl_eltwise_soft_relu;
    default: return dnnl_alg_kind_undef;
  }
}

dnnl_status_t memoryDesc(dnnl_memory_desc_t* desc, int64_t batch, int64_t rows, int64_t cols,
                         const Matrix& matrix) {
  const int64_t row = matrix.transposed ? 1 : matrix.ld, col = matrix.transposed ? matrix.ld : 1;
  if (batch == 1) {
    const dnnl_dims_t dims = {rows, cols}, strides = {row, col};
    return dnnl_memory_desc_init_by_strides(desc, 2, dims, dnnl_f32, strides);
  }
  const int64_t shared = matrix.ld * (matrix.transposed ? cols : rows);
  const dnnl_dims_t dims = {matrix.batchStride == 0 ? 1 : batch, rows, cols};
  const dnnl_dims_t strides = {matrix.batchStride == 0 ? shared : matrix.batchStride, row, col};
  return dnnl_memory_desc_init_by_strides(desc, 3, dims, dnnl_f32, strides);
}

/// The first implementation whose name holds `wanted`.
bool createPrimitive(Matmul& p, const dnnl_matmul_desc_t& desc, const_dnnl_primitive_attr_t attr,
                     dnnl_engine_t engine, const char* wanted) {
  dnnl_primitive_desc_iterator_t iterator;
  if (dnnl_primitive_desc_iterator_create(&iterator, &desc, attr, engine, nullptr) != dnnl_success) {
    return false;
  }
  do {
    dnnl_primitive_desc_t candidate = dnnl_primitive_desc_iterator_fetch(iterator);
    const char* name = "";
    dnnl_primitive_desc_query(candidate, dnnl_query_impl_info_str, 0, &name);
    if (strstr(name, wanted) != nullptr &&
        dnnl_primitive_create(&p.primitive, candidate) != dnnl_success) {
      p.primitive = nullptr;
    }
    if (p.primitive != nullptr) p.gemm = strstr(name, "gemm:jit") != nullptr;
    dnnl_primitive_desc_destroy(candidate);
  } while (p.primitive == nullptr &&
           dnnl_primitive_desc_iterator_next(iterator) == dnnl_success);
  dnnl_primitive_desc_iterator_destroy(iterator);
  return p.primitive != nullptr;
}

/// Looks for a primitive; oneDNN's `ref` implementations are never taken, WebAssembly is faster.
bool preparePrimitive(Matmul& p, dnnl_engine_t engine, bool gemmFirst, bool anyKind) {
  dnnl_memory_desc_t descs[4];
  Matrix biasMatrix;
  biasMatrix.ld = p.n;
  if (memoryDesc(&descs[0], p.batch, p.m, p.k, p.lhs) != dnnl_success ||
      memoryDesc(&descs[1], p.batch, p.k, p.n, p.rhs) != dnnl_success ||
      memoryDesc(&descs[2], p.batch, p.m, p.n, p.out) != dnnl_success ||
      memoryDesc(&descs[3], p.batch, 1, p.n, biasMatrix) != dnnl_success) {
    return false;
  }
  dnnl_matmul_desc_t desc;
  if (dnnl_matmul_desc_init(&desc, &descs[0], &descs[1], p.primitiveBias() ? &descs[3] : nullptr,
                            &descs[2]) != dnnl_success) {
    return false;
  }
  dnnl_primitive_attr_t attr;
  dnnl_post_ops_t postOps;
  if (dnnl_primitive_attr_create(&attr) != dnnl_success) return false;
  bool made = dnnl_post_ops_create(&postOps) == dnnl_success;
  if (made) {
    if (p.adds()) made = dnnl_post_ops_append_sum(postOps, 1.0f) == dnnl_success;
    if (p.activation > relu) {
      made = made && dnnl_post_ops_append_eltwise(postOps, 1.0f, algorithm(p.activation), 0.0f,
                                                  0.0f) == dnnl_success;
    }
    made = made && dnnl_primitive_attr_set_post_ops(attr, postOps) == dnnl_success;
    dnnl_post_ops_destroy(postOps);
  }
  const char *first = gemmFirst ? "gemm:jit" : "brg:", *second = gemmFirst ? "brg:" : "gemm:jit";
  made = made && (createPrimitive(p, desc, attr, engine, first) ||
                  (anyKind && createPrimitive(p, desc, attr, engine, second)));
  dnnl_primitive_attr_destroy(attr);
  if (!made) return false;

  const int kinds[4] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS};
  p.argumentCount = p.primitiveBias() ? 4 : 3;
  for (int i = 0; i < p.argumentCount; i++) {
    if (dnnl_memory_create(&p.memories[i], &descs[i], engine, DNNL_MEMORY_NONE) != dnnl_success) {
      return false;
    }
    p.arguments[i] = {kinds[i], p.memories[i]};
  }
  return true;
}

bool prepare(Matmul& p, dnnl_engine_t engine) {
  const bool gemm = gemmIsFaster(p);
  const bool own = sgemmFinishesFast(p);
  if (gemm && own) return true;
  // Without brgemm (no AVX-512) the gemm primitive is dnnl_sgemm with a longer way to it.
  if (preparePrimitive(p, engine, gemm, !own)) return true;
  return p.primitive == nullptr && sgemmCanFinish(p);
}

void writeBias(const Matmul& p, float* out, const float* bias) {
  for (int64_t b = 0; b < p.batch; b++) {
    for (int64_t i = 0; i < p.m; i++) {
      float* __restrict row = out + b * p.out.batchStride + i * p.out.ld;
      const float* from = bias + b * p.biasBatch + i * p.biasRow;
      const int64_t step = p.biasCol, n = p.n;
      if (from == row && step == 1) {
        // The bias is the output itself: adding to it is all there is to do.
        if (p.accumulate) for (int64_t j = 0; j < n; j++) row[j] += row[j];
      } else if (step == 1) {
        if (p.accumulate) for (int64_t j = 0; j < n; j++) row[j] += from[j];
        else memcpy(row, from, static_cast<size_t>(n) * sizeof(float));
      } else if (step == 0) {
        const float value = *from;
        if (p.accumulate) for (int64_t j = 0; j < n; j++) row[j] += value;
        else std::fill_n(row, n, value);
      } else {
        if (p.accumulate) for (int64_t j = 0; j < n; j++) row[j] += from[j * step];
        else for (int64_t j = 0; j < n; j++) row[j] = from[j * step];
      }
    }
  }
}

/// Written so that NaN stays NaN, as in MXNet; oneDNN's relu makes it 0 and would hide a diverging training.
WIDEST_SIMD void reluRow(float* row, int64_t n) {
  for (int64_t j = 0; j < n; j++) row[j] = row[j] <= 0.0f ? 0.0f : row[j];
}

void applyRelu(const Matmul& p, float* out) {
  if (p.out.ld == p.n && (p.batch == 1 || p.out.batchStride == p.m * p.n)) {
    return reluRow(out, p.batch * p.m * p.n);
  }
  for (int64_t b = 0; b < p.batch; b++) {
    for (int64_t i = 0; i < p.m; i++) {
      reluRow(out + b * p.out.batchStride + i * p.out.ld, p.n);
    }
  }
}

dnnl_status_t sgemm(const Matmul& p, const float* lhs, const float* rhs, float* out, bool adds) {
  for (int64_t b = 0; b < p.batch; b++) {
    const dnnl_status_t status = dnnl_sgemm(
        p.lhs.transposed ? 'T' : 'N', p.rhs.transposed ? 'T' : 'N', p.m, p.n, p.k, 1.0f,
        lhs + b * p.lhs.batchStride, p.lhs.ld, rhs + b * p.rhs.batchStride, p.rhs.ld,
        adds ? 1.0f : 0.0f, out + b * p.out.batchStride, p.out.ld);
    if (status != dnnl_success) return status;
  }
  return dnnl_success;
}

/// Longer sums than these may be packed: seen from 96 on, in products as small as 8×1024×8, and never up to 80.
constexpr int64_t unpackedMost = 64;

dnnl_status_t run(const Matmul& p, dnnl_stream_t stream, float* lhs, float* rhs, float* out,
                  float* bias) {
  OneThread one;
  // Two system calls cost a microsecond: only the kernels that turn the stack pay it, those for packed operands.
  NoSignals quiet(p.gemm && p.k > unpackedMost);
  if (p.swapped) std::swap(lhs, rhs);
  dnnl_status_t status = dnnl_success;
  if (p.primitive != nullptr) {
    if (p.prefill) writeBias(p, out, bias);
    float* const places[4] = {lhs, rhs, out, bias};
    for (int i = 0; i < p.argumentCount; i++) {
      status = dnnl_memory_set_data_handle(p.memories[i], places[i]);
      if (status != dnnl_success) return status;
    }
    status = dnnl_primitive_execute(p.primitive, stream, p.argumentCount, p.arguments);
  } else {
    if (p.hasBias) writeBias(p, out, bias);
    status = sgemm(p, lhs, rhs, out, p.accumulate || p.hasBias);
  }
  if (status == dnnl_success && p.activation == relu) applyRelu(p, out);
  return status;
}

}  // namespace

napi_value matmulCreate(napi_env env, napi_callback_info info) {
  const dnnl_engine_t engine = Args<1>(env, info).bridge->engine;
  return createHandle(env, info, "matmulCreate", fields, &Bridge::matmuls,
                      [&](const double* spec, Matmul& product) {
                        return describe(spec, product) && prepare(product, engine);
                      });
}

napi_value matmulRun(napi_env env, napi_callback_info info) {
  Args<5> args(env, info);
  Bridge& bridge = *args.bridge;
  const int32_t handle = args.integer(0);
  const Matmul* product = bridge.matmuls.find(handle);
  if (product == nullptr) return fail(env, "[matmulRun] %d is no handle", handle);
  static const char* const names[4] = {"lhs", "rhs", "out", "bias"};
  float* places[4] = {};
  for (int i = 0; i < (product->hasBias ? 4 : 3); i++) {
    const double address = args.number(i + 1);
    if (!inside(bridge, address, product->bytes[i])) {
      return fail(env, "[matmulRun] %s: %.0f bytes at %.0f leave the attached memory", names[i],
                  product->bytes[i], address);
    }
    places[i] = reinterpret_cast<float*>(at(bridge, address));
  }
  const dnnl_status_t status =
      run(*product, bridge.stream, places[0], places[1], places[2], places[3]);
  if (status != dnnl_success) return fail(env, "[matmulRun] oneDNN: %s", statusName(status));
  napi_value zero;
  napi_create_int32(env, 0, &zero);
  return zero;
}

napi_value matmulFree(napi_env env, napi_callback_info info) {
  return freeHandle(env, info, "matmulFree", &Bridge::matmuls);
}

void freeMatmuls(Bridge& bridge) { bridge.matmuls.clear(); }
