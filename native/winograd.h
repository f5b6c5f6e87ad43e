// Convolutions of 3×3 windows that move by one, channels last, by Winograd's algorithm in our own vectors.
#pragma once

#include <cstdint>

/// What is read, what is written, and how the weights lie; strides are in elements.
struct Winograd {
  int64_t batch = 0, inputs = 0, outputs = 0;  // entries; channels, which lie last, in multiples of 32
  int64_t from[2] = {}, to[2] = {}, pad[2] = {};
  int64_t fromStrides[3] = {}, toStrides[3] = {};  // batch, rows, columns
  int64_t weightOffset = 0, weightStrides[4] = {};  // along outputs, inputs, rows, columns

  /// Whether this processor and these sizes are for it.
  bool suits() const;
  int64_t scratchBytes() const;
  /// With `again` the scratch memory still holds the weights of the run before.
  void run(const float* x, const float* weights, const float* bias, float* y, char* scratch,
           bool again) const;

 private:
  int64_t tilesBeside() const;
};
