// Normalization over dense float32 rows: mean 0, deviation 1, and a scale and shift by column where they are given.
#include <cmath>

#include "bridge.h"
#include "vectors.h"

namespace {

struct Table {
  const float* from;
  float* to;
  /// By column; null for none.
  const float* gamma;
  const float* beta;
  int64_t rows;
  int64_t columns;
  /// What a sum is multiplied by to be a mean.
  float share;
  float epsilon;
};

/// The sum of a row's elements, or of their squared distances from `centre`.
template <bool squares>
INLINE float sumOf(const float* row, int64_t columns, float centre) {
  constexpr int sums = 4;
  Floats total[sums] = {}, x;
  int64_t j = 0;
  for (; j + sums * lanes <= columns; j += sums * lanes) {
    for (int s = 0; s < sums; s++) {
      read(x, row + j + s * lanes);
      if (squares) x -= centre;
      total[s] += squares ? x * x : x;
    }
  }
  for (; j + lanes <= columns; j += lanes) {
    read(x, row + j);
    if (squares) x -= centre;
    total[0] += squares ? x * x : x;
  }
  total[0] += total[1] + (total[2] + total[3]);
  float sum = 0;
  for (; j < columns; j++) sum += squares ? (row[j] - centre) * (row[j] - centre) : row[j];
  for (int i = 0; i < lanes; i++) sum += total[0][i];
  return sum;
}

template <bool affine>
INLINE void normalizeRow(const Table& table, int64_t row) {
  const int64_t columns = table.columns;
  const float* from = table.from + row * columns;
  float* to = table.to + row * columns;
  const float mean = sumOf<false>(from, columns, 0) * table.share;
  const float variance = sumOf<true>(from, columns, mean) * table.share;
  const float scale = 1.0f / std::sqrt(variance + table.epsilon);
  int64_t j = 0;
  Floats x, g, b;
  for (; j + lanes <= columns; j += lanes) {
    read(x, from + j);
    x = (x - mean) * scale;
    if (affine) {
      read(g, table.gamma + j);
      read(b, table.beta + j);
      x = x * g + b;
    }
    write(to + j, x);
  }
  for (; j < columns; j++) {
    const float y = (from[j] - mean) * scale;
    to[j] = affine ? y * table.gamma[j] + table.beta[j] : y;
  }
}

WIDEST_SIMD void normalize(const Table& table) {
  if (table.gamma != nullptr) {
    for (int64_t i = 0; i < table.rows; i++) normalizeRow<true>(table, i);
  } else {
    for (int64_t i = 0; i < table.rows; i++) normalizeRow<false>(table, i);
  }
}

}  // namespace

napi_value normalizeRun(napi_env env, napi_callback_info info) {
  Args<8> args(env, info);
  const Bridge& bridge = *args.bridge;
  const double rows = args.number(4), columns = args.number(5);
  if (!areRows(rows, columns)) {
    return fail(env, "[normalizeRun] %.0f rows of %.0f are no sizes", rows, columns);
  }
  const bool affine = args.number(2) != 0;
  for (int i = 0; i < (affine ? 4 : 2); i++) {
    const double bytes = 4 * columns * (i < 2 ? rows : 1);
    if (!inside(bridge, args.number(i), bytes)) {
      return fail(env, "[normalizeRun] %.0f bytes at %.0f leave the attached memory", bytes,
                  args.number(i));
    }
  }
  const auto floats = [&](int i) { return reinterpret_cast<float*>(at(bridge, args.number(i))); };
  normalize({floats(0), floats(1), affine ? floats(2) : nullptr, affine ? floats(3) : nullptr,
             static_cast<int64_t>(rows), static_cast<int64_t>(columns),
             static_cast<float>(args.number(6)), static_cast<float>(args.number(7))});
  napi_value zero;
  napi_create_int32(env, 0, &zero);
  return zero;
}
