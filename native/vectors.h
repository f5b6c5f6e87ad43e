// Vectors of float32 as wide as the machine has them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "widest.h"

constexpr int lanes = 16;
typedef float Floats __attribute__((vector_size(4 * lanes)));
typedef int32_t Ints __attribute__((vector_size(4 * lanes)));

INLINE void read(Floats& v, const float* from) { memcpy(&v, from, sizeof v); }
INLINE void write(float* to, const Floats& v) { memcpy(to, &v, sizeof v); }

/// Whether two numbers are the sizes of a table: whole, and not too many elements.
inline bool areRows(double rows, double columns) {
  return rows >= 0 && columns >= 1 && rows == std::floor(rows) && columns == std::floor(columns) &&
         rows * columns < 0x1p31;
}
