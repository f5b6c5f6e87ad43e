// Softmax over dense float32 rows, in our own vectors: NaN and infinities come out as they do in separate steps.
#include <cmath>

#include "bridge.h"
#include "vectors.h"

namespace {

/// exp for x <= 0 to below 1 ulp; results below 2^-126 are 0; NaN stays.
INLINE void expNegative(Floats& x) {
  constexpr float rounder = 12582912.0f;
  const Ints under = x < -87.33654f;
  x = under ? Floats{} - 87.33654f : x;
  const Floats shifted = x * 1.44269504f + rounder;
  const Floats whole = shifted - rounder;
  const Floats r = (x - whole * 0.693359375f) + whole * 2.1219444e-4f;
  Floats p = r * 1.381459910118529e-3f + 8.368716917927451e-3f;
  p = p * r + 4.166838803890469e-2f;
  p = p * r + 1.6666520631298715e-1f;
  p = p * r + 4.9999993447812835e-1f;
  p = p * (r * r) + r + 1.0f;
  Ints n;
  memcpy(&n, &shifted, sizeof n);
  n = (n - 0x4b400000 + 127) << 23;
  Floats power;
  memcpy(&power, &n, sizeof n);
  x = under ? Floats{} : p * power;
}

/// One row: the largest, the exponentials and their sum, their shares. `to` may be `from`.
WIDEST_SIMD void softmaxRow(const float* from, float* to, int64_t columns) {
  const int64_t whole = columns / lanes * lanes;
  const int64_t rest = columns - whole;
  Floats tail = Floats{} - INFINITY;
  memcpy(&tail, from + whole, static_cast<size_t>(rest) * sizeof(float));
  Floats most = tail, x;
  for (int64_t j = 0; j < whole; j += lanes) {
    read(x, from + j);
    most = x > most ? x : most;
  }
  float top = -INFINITY;
  for (int i = 0; i < lanes; i++) top = most[i] > top ? most[i] : top;
  Floats sums = {}, others = {};
  int64_t j = 0;
  for (; j + 2 * lanes <= whole; j += 2 * lanes) {
    Floats y;
    read(x, from + j);
    read(y, from + j + lanes);
    x -= top;
    y -= top;
    expNegative(x);
    expNegative(y);
    sums += x;
    others += y;
    write(to + j, x);
    write(to + j + lanes, y);
  }
  for (; j < whole; j += lanes) {
    read(x, from + j);
    x -= top;
    expNegative(x);
    sums += x;
    write(to + j, x);
  }
  sums += others;
  float total = 0;
  if (rest > 0) {
    tail -= top;
    expNegative(tail);
    for (int i = 0; i < rest; i++) total += tail[i];
  }
  for (int i = 0; i < lanes; i++) total += sums[i];
  const float share = 1.0f / total;
  for (j = 0; j < whole; j += lanes) {
    read(x, to + j);
    x *= share;
    write(to + j, x);
  }
  tail *= share;
  memcpy(to + whole, &tail, static_cast<size_t>(rest) * sizeof(float));
}

}  // namespace

napi_value softmaxRun(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  const Bridge& bridge = *args.bridge;
  const double rows = args.number(2), columns = args.number(3);
  if (!areRows(rows, columns)) {
    return fail(env, "[softmaxRun] %.0f rows of %.0f are no sizes", rows, columns);
  }
  for (int i = 0; i < 2; i++) {
    if (!inside(bridge, args.number(i), 4 * rows * columns)) {
      return fail(env, "[softmaxRun] %.0f bytes at %.0f leave the attached memory",
                  4 * rows * columns, args.number(i));
    }
  }
  const float* from = reinterpret_cast<const float*>(at(bridge, args.number(0)));
  float* to = reinterpret_cast<float*>(at(bridge, args.number(1)));
  const int64_t count = static_cast<int64_t>(columns);
  for (int64_t i = 0; i < static_cast<int64_t>(rows); i++) {
    softmaxRow(from + i * count, to + i * count, count);
  }
  napi_value zero;
  napi_create_int32(env, 0, &zero);
  return zero;
}
