// Max pooling and its gradient where channels lie last: a vector of channels goes through a window at a time.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "bridge.h"
#include "widest.h"

namespace {

constexpr int axes = 2;
/// mode, batch, channels; six numbers an axis; strides of the array that is searched, the windows' and the one spread to.
constexpr int fAxes = 3, fStrides = fAxes + 6 * axes, sides = 3;
constexpr int sideStrides = 1 + axes, fields = fStrides + sides * sideStrides;
enum Mode { modeMax = 0, modeSpread = 1 };
enum Side { sideX = 0, sideY = 1, sideSpread = 2 };

struct Axis {
  int64_t x, window, y, stride, dilate, pad;

  /// The first and the last but one element of a window's that lie within the array.
  void within(int64_t i, int64_t* first, int64_t* end) const {
    const int64_t start = i * stride - pad;
    *first = start >= 0 ? 0 : (-start + dilate - 1) / dilate;
    *end = start >= x ? 0 : std::min(window, (x - 1 - start) / dilate + 1);
  }
};

}  // namespace

struct Pool {
  int mode;
  int64_t batch, channels;
  Axis axis[axes];
  int64_t strides[sides][sideStrides];
  double bytes[sides];  // what each array spans
};

namespace {

bool readPool(Pool& p, const double* spec) {
  int64_t f[fields];
  for (int i = 0; i < fields; i++) {
    if (!(spec[i] >= 0 && spec[i] < 0x1p31) || spec[i] != std::floor(spec[i])) return false;
    f[i] = static_cast<int64_t>(spec[i]);
  }
  if (f[0] > modeSpread || f[1] < 1 || f[2] < 1) return false;
  p.mode = static_cast<int>(f[0]);
  p.batch = f[1];
  p.channels = f[2];
  for (int d = 0; d < axes; d++) {
    const int64_t* a = f + fAxes + 6 * d;
    p.axis[d] = {a[0], a[1], a[2], a[3], a[4], a[5]};
    if (*std::min_element(a, a + 5) < 1) return false;
  }
  for (int s = 0; s < sides; s++) {
    const bool window = s == sideY;
    double span = static_cast<double>(p.channels);
    for (int i = 0; i < sideStrides; i++) {
      p.strides[s][i] = f[fStrides + s * sideStrides + i];
      const int64_t size = i == 0 ? p.batch : window ? p.axis[i - 1].y : p.axis[i - 1].x;
      span += static_cast<double>(size - 1) * static_cast<double>(p.strides[s][i]);
    }
    p.bytes[s] = 4 * span;
  }
  return true;
}

/// A window's elements within the array: how many along each axis, and how far apart they lie.
struct Window {
  int64_t rows, columns, row, column;
};

/// Channels that are looked at together: what is known of them stays in the first cache.
constexpr int64_t block = 256;

// Loops over channels, which the compiler turns into vectors; of more general forms it makes single steps.

/// The largest of a window, NaN where it holds one.
INLINE void largest(const float* x, const Window& w, float* y, int64_t channels) {
  for (int64_t c = 0; c < channels; c++) y[c] = x[c];
  for (int64_t i = 0; i < w.rows; i++) {
    for (int64_t j = 0; j < w.columns; j++) {
      const float* from = x + i * w.row + j * w.column;
      for (int64_t c = 0; c < channels; c++) {
        const float v = from[c], most = v > y[c] ? v : y[c];
        y[c] = v != v ? v : most;
      }
    }
  }
}

/// Adds `y` where the first largest element of a window stands: as by argmax, NaN is it in the first place only. `to` lies by `there` as `x` by `w`.
INLINE void spread(const float* x, const Window& w, const float* y, float* to, const Window& there,
                   int64_t channels) {
  float best[block];
  int32_t position[block];
  for (int64_t c = 0; c < channels; c++) {
    best[c] = x[c];
    position[c] = 0;
  }
  int32_t place = 0;
  for (int64_t i = 0; i < w.rows; i++) {
    for (int64_t j = 0; j < w.columns; j++, place++) {
      const float* from = x + i * w.row + j * w.column;
      for (int64_t c = 0; c < channels; c++) {
        const bool larger = from[c] > best[c];
        best[c] = larger ? from[c] : best[c];
        position[c] = larger ? place : position[c];
      }
    }
  }
  place = 0;
  for (int64_t i = 0; i < w.rows; i++) {
    for (int64_t j = 0; j < w.columns; j++, place++) {
      float* into = to + i * there.row + j * there.column;
      for (int64_t c = 0; c < channels; c++) into[c] += position[c] == place ? y[c] : 0.0f;
    }
  }
}

void clearRow(const Pool& p, float* row) {
  const int64_t step = p.strides[sideSpread][2], columns = p.axis[1].x;
  const bool dense = step == p.channels;
  const size_t bytes = static_cast<size_t>(dense ? columns * step : p.channels) * sizeof(float);
  for (int64_t j = 0; j < (dense ? 1 : columns); j++) memset(row + j * step, 0, bytes);
}

/// One batch entry; `to` is the array spread to, if any.
WIDEST_SIMD void poolEntry(const Pool& p, const float* x, float* y, float* to) {
  const Axis &down = p.axis[0], &across = p.axis[1];
  int64_t cleared = 0;
  const auto clearTo = [&](int64_t end) {
    for (; cleared < std::min(end, down.x); cleared++) {
      clearRow(p, to + cleared * p.strides[sideSpread][1]);
    }
  };
  const auto windowOf = [&](int side, int64_t rows, int64_t columns) {
    return Window{rows, columns, down.dilate * p.strides[side][1],
                  across.dilate * p.strides[side][2]};
  };
  const auto offset = [&](int side, int64_t i, int64_t j) {
    return i * p.strides[side][1] + j * p.strides[side][2];
  };
  for (int64_t i = 0; i < down.y; i++) {
    int64_t top, bottom, left, right;
    down.within(i, &top, &bottom);
    if (p.mode == modeSpread) {
      clearTo(i * down.stride - down.pad + (down.window - 1) * down.dilate + 1);
    }
    for (int64_t j = 0; j < across.y; j++) {
      across.within(j, &left, &right);
      float* result = y + offset(sideY, i, j);
      const Window w = windowOf(sideX, bottom - top, right - left);
      if (w.rows <= 0 || w.columns <= 0) {
        if (p.mode == modeMax) std::fill(result, result + p.channels, -INFINITY);
        continue;
      }
      const int64_t row = i * down.stride - down.pad + top * down.dilate;
      const int64_t column = j * across.stride - across.pad + left * across.dilate;
      const float* first = x + offset(sideX, row, column);
      float* place = to + offset(sideSpread, row, column);
      const Window there = windowOf(sideSpread, w.rows, w.columns);
      for (int64_t c = 0; c < p.channels; c += block) {
        const int64_t count = std::min(block, p.channels - c);
        if (p.mode == modeMax) largest(first + c, w, result + c, count);
        else spread(first + c, w, result + c, place + c, there, count);
      }
    }
  }
  if (p.mode == modeSpread) clearTo(down.x);
}

}  // namespace

napi_value poolCreate(napi_env env, napi_callback_info info) {
  return createHandle(env, info, "poolCreate", fields, &Bridge::pools,
                      [](const double* spec, Pool& pool) { return readPool(pool, spec); });
}

napi_value poolRun(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  const Bridge& bridge = *args.bridge;
  const int32_t handle = args.integer(0);
  const Pool* pool = bridge.pools.find(handle);
  if (pool == nullptr) return fail(env, "[poolRun] %d is no handle", handle);
  const int used = pool->mode == modeSpread ? sides : 2;
  float* places[sides] = {};
  for (int i = 0; i < used; i++) {
    const double address = args.number(i + 1);
    if (!inside(bridge, address, pool->bytes[i])) {
      return fail(env, "[poolRun] %.0f bytes at %.0f leave the attached memory", pool->bytes[i],
                  address);
    }
    places[i] = reinterpret_cast<float*>(at(bridge, address));
  }
  for (int64_t b = 0; b < pool->batch; b++) {
    float* entry[sides] = {};
    for (int i = 0; i < used; i++) entry[i] = places[i] + b * pool->strides[i][0];
    poolEntry(*pool, entry[sideX], entry[sideY], entry[sideSpread]);
  }
  napi_value zero;
  napi_create_int32(env, 0, &zero);
  return zero;
}

napi_value poolFree(napi_env env, napi_callback_info info) {
  return freeHandle(env, info, "poolFree", &Bridge::pools);
}

void freePools(Bridge& bridge) { bridge.pools.clear(); }
