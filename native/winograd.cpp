// F(4×4, 3×3) with the points 0, ±5/8, ±3/2 and infinity, whose numbers stay of one size: errors are a fifth of those of 0, ±1, ±2.
// Squares of 6×6 elements are transformed, a block of them at a time so that it stays in the second cache; 36 products
// of matrices, squares by channels; squares of 4×4 results are transformed back.
#include "winograd.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f")))
#define WIDE_INLINE __attribute__((target("avx512f"), always_inline)) inline

namespace {

typedef __m512 Floats;

constexpr int64_t lanes = 16, edge = 6, points = edge * edge, tile = 4;
/// Columns of a block of the products' right sides, and rows of their register tiles.
constexpr int64_t columns = 2 * lanes, rowsMost = 14;
constexpr float a = 0.625f, b = 1.5f, a2 = a * a, b2 = b * b;

/// From the values at one point to those at the next: not a power of two, whose addresses would share few places of a cache.
int64_t apart(int64_t floats) { return floats + lanes; }

WIDE_INLINE Floats all(float value) { return _mm512_set1_ps(value); }

/// Six elements, `step` apart, to the values of their polynomial at the points.
WIDE_INLINE void forward(const Floats* d, int64_t step, Floats* to, int64_t toStep) {
  const Floats d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step],
               d5 = d[5 * step];
  const Floats product = all(a2 * b2), sum = all(a2 + b2);
  const Floats p = _mm512_fnmadd_ps(all(b2), d2, d4);
  const Floats q = _mm512_mul_ps(all(a), _mm512_fnmadd_ps(all(b2), d1, d3));
  const Floats r = _mm512_fnmadd_ps(all(a2), d2, d4);
  const Floats s = _mm512_mul_ps(all(b), _mm512_fnmadd_ps(all(a2), d1, d3));
  to[0] = _mm512_fmadd_ps(product, d0, _mm512_fnmadd_ps(sum, d2, d4));
  to[toStep] = _mm512_add_ps(p, q);
  to[2 * toStep] = _mm512_sub_ps(p, q);
  to[3 * toStep] = _mm512_add_ps(r, s);
  to[4 * toStep] = _mm512_sub_ps(r, s);
  to[5 * toStep] = _mm512_fmadd_ps(product, d1, _mm512_fnmadd_ps(sum, d3, d5));
}

/// Six values at the points to four results.
WIDE_INLINE void backward(const Floats* m, int64_t step, Floats* to, int64_t toStep) {
  const Floats m1 = m[step], m2 = m[2 * step], m3 = m[3 * step], m4 = m[4 * step];
  const Floats sa = _mm512_add_ps(m1, m2), da = _mm512_sub_ps(m1, m2);
  const Floats sb = _mm512_add_ps(m3, m4), db = _mm512_sub_ps(m3, m4);
  to[0] = _mm512_add_ps(m[0], _mm512_add_ps(sa, sb));
  to[toStep] = _mm512_fmadd_ps(all(b), db, _mm512_mul_ps(all(a), da));
  to[2 * toStep] = _mm512_fmadd_ps(all(b2), sb, _mm512_mul_ps(all(a2), sa));
  to[3 * toStep] = _mm512_fmadd_ps(
      all(b * b2), db, _mm512_fmadd_ps(all(a * a2), da, m[5 * step]));
}

/// Three weights to their values at the points.
WIDE_INLINE void spreadWeights(const Floats* g, int64_t step, Floats* to, int64_t toStep) {
  constexpr float na = 1 / (2 * a2 * (a2 - b2)), nb = 1 / (2 * b2 * (b2 - a2));
  const Floats g0 = g[0], g1 = g[step], g2 = g[2 * step];
  const Floats ea = _mm512_mul_ps(all(na), _mm512_fmadd_ps(all(a2), g2, g0));
  const Floats oa = _mm512_mul_ps(all(na * a), g1);
  const Floats eb = _mm512_mul_ps(all(nb), _mm512_fmadd_ps(all(b2), g2, g0));
  const Floats ob = _mm512_mul_ps(all(nb * b), g1);
  to[0] = _mm512_mul_ps(all(1 / (a2 * b2)), g0);
  to[toStep] = _mm512_add_ps(ea, oa);
  to[2 * toStep] = _mm512_sub_ps(ea, oa);
  to[3 * toStep] = _mm512_add_ps(eb, ob);
  to[4 * toStep] = _mm512_sub_ps(eb, ob);
  to[5 * toStep] = g2;
}

/// All weights, by point, block of outputs, input and output of the block.
WIDE void transformWeights(const Winograd& w, const float* weights, float* to) {
  const auto [out, in, down, right] = w.weightStrides;
  const __m512i each = _mm512_mullo_epi32(
      _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
      _mm512_set1_epi32(static_cast<int>(out)));
  const int64_t step = apart(w.inputs * w.outputs);
  for (int64_t k = 0; k < w.outputs; k += lanes) {
    float* block = to + k / columns * columns * w.inputs + k % columns;
    for (int64_t c = 0; c < w.inputs; c++) {
      const float* from = weights + w.weightOffset + k * out + c * in;
      Floats g[9], h[3 * edge], u[points];
      for (int i = 0; i < 9; i++) {
        g[i] = _mm512_i32gather_ps(each, from + i / 3 * down + i % 3 * right, 4);
      }
      for (int j = 0; j < 3; j++) spreadWeights(g + j, 3, h + j, 3);
      for (int i = 0; i < edge; i++) spreadWeights(h + 3 * i, 1, u + edge * i, 1);
      for (int64_t i = 0; i < points; i++) {
        _mm512_storeu_ps(block + i * step + c * columns, u[i]);
      }
    }
  }
}

/// `rows` × 32 results of a product over `depth`; the right side lies block by block.
template <int rows>
WIDE_INLINE void product(const float* left, int64_t depth, const float* right, float* to,
                         int64_t toStep) {
  Floats first[rows], second[rows];
  for (int r = 0; r < rows; r++) first[r] = second[r] = _mm512_setzero_ps();
  for (int64_t c = 0; c < depth; c++, right += columns) {
    const Floats low = _mm512_loadu_ps(right), high = _mm512_loadu_ps(right + lanes);
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
      const Floats x = all(left[r * depth + c]);
      first[r] = _mm512_fmadd_ps(x, low, first[r]);
      second[r] = _mm512_fmadd_ps(x, high, second[r]);
    }
  }
  for (int r = 0; r < rows; r++) {
    _mm512_storeu_ps(to + r * toStep, first[r]);
    _mm512_storeu_ps(to + r * toStep + lanes, second[r]);
  }
}

/// As `product`, for a number of rows below `most` that is known only now.
template <int most>
WIDE void productOf(int64_t rows, const float* left, int64_t depth, const float* right, float* to,
                    int64_t toStep) {
  if constexpr (most > 0) {
    if (rows == most) product<most>(left, depth, right, to, toStep);
    else productOf<most - 1>(rows, left, depth, right, to, toStep);
  }
}

WIDE void products(const Winograd& w, int64_t rows, const float* left, const float* right,
                   float* to) {
  for (int64_t k = 0; k < w.outputs; k += columns) {
    const float* block = right + k * w.inputs;
    int64_t r = 0;
    for (; r + rowsMost <= rows; r += rowsMost) {
      product<rowsMost>(left + r * w.inputs, w.inputs, block, to + r * w.outputs + k, w.outputs);
    }
    productOf<rowsMost - 1>(rows - r, left + r * w.inputs, w.inputs, block,
                            to + r * w.outputs + k, w.outputs);
  }
}

/// Where a square of results begins: its batch entry, row and column.
struct Place {
  int64_t entry, row, column;
};

WIDE void transformSquare(const Winograd& w, const Place& at, const float* x, const float* zeros,
                          float* to, int64_t pointStep) {
  const float* places[points];
  for (int64_t i = 0; i < points; i++) {
    const int64_t row = at.row - w.pad[0] + i / edge, column = at.column - w.pad[1] + i % edge;
    const bool within = row >= 0 && row < w.from[0] && column >= 0 && column < w.from[1];
    places[i] = !within ? zeros
                        : x + at.entry * w.fromStrides[0] + row * w.fromStrides[1] +
                              column * w.fromStrides[2];
  }
  for (int64_t c = 0; c < w.inputs; c += lanes) {
    Floats d[points], e[points];
    for (int64_t i = 0; i < points; i++) d[i] = _mm512_loadu_ps(places[i] + c);
    for (int64_t j = 0; j < edge; j++) forward(d + j, edge, e + j, edge);
    for (int64_t i = 0; i < edge; i++) forward(e + edge * i, 1, d + edge * i, 1);
    for (int64_t i = 0; i < points; i++) _mm512_storeu_ps(to + i * pointStep + c, d[i]);
  }
}

WIDE void finishSquare(const Winograd& w, const Place& at, const float* from, int64_t pointStep,
                       const float* bias, float* y) {
  const int64_t rows = std::min(tile, w.to[0] - at.row);
  const int64_t count = std::min(tile, w.to[1] - at.column);
  float* first =
      y + at.entry * w.toStrides[0] + at.row * w.toStrides[1] + at.column * w.toStrides[2];
  for (int64_t k = 0; k < w.outputs; k += lanes) {
    Floats m[points], n[tile * edge], z[tile * tile];
    for (int64_t i = 0; i < points; i++) m[i] = _mm512_loadu_ps(from + i * pointStep + k);
    for (int64_t j = 0; j < edge; j++) backward(m + j, edge, n + j, edge);
    for (int64_t i = 0; i < tile; i++) backward(n + edge * i, 1, z + tile * i, 1);
    const Floats added = bias == nullptr ? _mm512_setzero_ps() : _mm512_loadu_ps(bias + k);
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t j = 0; j < count; j++) {
        _mm512_storeu_ps(first + i * w.toStrides[1] + j * w.toStrides[2] + k,
                         _mm512_add_ps(z[tile * i + j], added));
      }
    }
  }
}

int64_t squares(int64_t size) { return (size + tile - 1) / tile; }

}  // namespace

bool Winograd::suits() const {
  // Gathers count in 32 bits.
  const int64_t reach = lanes * std::abs(weightStrides[0]);
  return __builtin_cpu_supports("avx512f") && inputs % columns == 0 && outputs % columns == 0 &&
         reach < INT32_MAX;
}

/// Squares in a block: few where the products' right side is small, so that all stays near, more where it is read from afar.
int64_t Winograd::tilesBeside() const {
  const int64_t weights = inputs * outputs;
  const int64_t most = weights <= 1 << 14 ? 28 : weights <= 1 << 16 ? 56 : 112;
  return std::min(most, batch * squares(to[0]) * squares(to[1]));
}

int64_t Winograd::scratchBytes() const {
  const int64_t beside = tilesBeside();
  const int64_t floats = points * (apart(inputs * outputs) + apart(beside * inputs) +
                                   apart(beside * outputs)) +
                         inputs;
  return static_cast<int64_t>(sizeof(float)) * floats;
}

void Winograd::run(const float* x, const float* weights, const float* bias, float* y, char* scratch,
                   bool again) const {
  const int64_t beside = tilesBeside(), down = squares(to[0]), across = squares(to[1]);
  const int64_t rightStep = apart(inputs * outputs), leftStep = apart(beside * inputs),
                sumStep = apart(beside * outputs);
  float* const right = reinterpret_cast<float*>(scratch);
  float* const left = right + points * rightStep;
  float* const sums = left + points * leftStep;
  float* const zeros = sums + points * sumStep;
  if (!again) transformWeights(*this, weights, right);
  memset(zeros, 0, static_cast<size_t>(inputs) * sizeof(float));
  const auto place = [&](int64_t i) {
    return Place{i / (down * across), i / across % down * tile, i % across * tile};
  };
  const int64_t total = batch * down * across;
  for (int64_t first = 0; first < total; first += beside) {
    const int64_t count = std::min(beside, total - first);
    for (int64_t t = 0; t < count; t++) {
      transformSquare(*this, place(first + t), x, zeros, left + t * inputs, leftStep);
    }
    for (int64_t i = 0; i < points; i++) {
      products(*this, count, left + i * leftStep, right + i * rightStep, sums + i * sumStep);
    }
    for (int64_t t = 0; t < count; t++) {
      finishSquare(*this, place(first + t), sums + t * outputs, sumStep, bias, y);
    }
  }
}

#else

bool Winograd::suits() const { return false; }
int64_t Winograd::scratchBytes() const { return 0; }
void Winograd::run(const float*, const float*, const float*, float*, char*, bool) const {}

#endif
