// Convolutions and their two transposes: channels last inside, whatever lies otherwise is reordered on the way.
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "bridge.h"
#include "winograd.h"

namespace {

/// The three arrays; one of them is the result.
enum Side { sideX = 0, sideW = 1, sideY = 2 };
constexpr int axesMost = 3;
/// result, axes, batch, groups, inner, outer, bias, winograd; six numbers an axis; strides of x, w and y.
constexpr int fHead = 8, fAxes = fHead, fStrides = fAxes + 6 * axesMost;
constexpr int sideStrides = 3 + axesMost, fields = fStrides + 3 * sideStrides;

int64_t roundUp(int64_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

/// One of the arrays x, w, y: as the caller has it, and as the primitive wants it.
struct ConvSide {
  double bytes = 0;               // what it spans, in the caller's memory
  dnnl_memory_t given = nullptr;  // the caller's layout
  dnnl_memory_t inner = nullptr;  // the primitive's; null where both are one
  dnnl_primitive_t reorder = nullptr;
  dnnl_primitive_t adding = nullptr;  // a reorder that adds to what is there; for results of several runs
  int64_t scratch = 0;  // where the reordered copy lies in the scratch memory

  dnnl_memory_t used() const { return inner != nullptr ? inner : given; }
};

struct Conv {
  int result = sideY;
  bool own = false;  // by our own `winograd`; what is oneDNN's is not there
  Winograd winograd;
  bool hasBias = false;
  double biasBytes = 0;
  ConvSide sides[3];  // x, w, y
  dnnl_primitive_t primitive = nullptr;
  dnnl_memory_t bias = nullptr;
  dnnl_memory_t pad = nullptr;  // the primitive's own scratch memory
  int64_t padScratch = 0;
  int64_t scratchBytes = 0;
  dnnl_exec_arg_t arguments[5] = {};
  int argumentCount = 0;

  ~Conv() {
    for (ConvSide& side : sides) {
      if (side.given != nullptr) dnnl_memory_destroy(side.given);
      if (side.inner != nullptr) dnnl_memory_destroy(side.inner);
      if (side.reorder != nullptr) dnnl_primitive_destroy(side.reorder);
      if (side.adding != nullptr) dnnl_primitive_destroy(side.adding);
    }
    if (bias != nullptr) dnnl_memory_destroy(bias);
    if (pad != nullptr) dnnl_memory_destroy(pad);
    if (primitive != nullptr) dnnl_primitive_destroy(primitive);
  }
};

namespace {

/// The sizes and strides of a convolution, checked.
struct Shape {
  int result, axes;
  int64_t batch, groups, inner, outer;
  bool bias, winograd;
  dnnl_dims_t x, window, y, stride, dilate, before, after;
  int64_t strides[3][sideStrides];

  bool read(const double* spec) {
    int64_t f[fields];
    for (int i = 0; i < fields; i++) {
      if (!(spec[i] >= 0 && spec[i] < 0x1p40) || spec[i] != std::floor(spec[i])) return false;
      f[i] = static_cast<int64_t>(spec[i]);
    }
    if (f[0] > sideY || f[1] < 1 || f[1] > axesMost || f[6] > 1 || f[7] > 1) return false;
    result = static_cast<int>(f[0]);
    axes = static_cast<int>(f[1]);
    batch = f[2];
    groups = f[3];
    inner = f[4];
    outer = f[5];
    bias = f[6] != 0;
    winograd = f[7] != 0;
    if (batch < 1 || groups < 1 || inner < 1 || outer < 1) return false;
    for (int d = 0; d < axes; d++) {
      const int64_t* a = f + fAxes + 6 * d;
      x[d] = a[0];
      window[d] = a[1];
      y[d] = a[2];
      stride[d] = a[3];
      dilate[d] = a[4] - 1;
      before[d] = a[5];
      if (x[d] < 1 || window[d] < 1 || y[d] < 1 || stride[d] < 1 || dilate[d] < 0) return false;
      after[d] = (y[d] - 1) * stride[d] + (window[d] - 1) * a[4] + 1 - x[d] - before[d];
    }
    for (int s = 0; s < 3; s++) {
      for (int i = 0; i < sideStrides; i++) strides[s][i] = f[fStrides + s * sideStrides + i];
    }
    return true;
  }
};

/// The dims of a side as oneDNN counts them, and the caller's strides for them; false where it cannot say so.
bool layout(const Shape& c, int side, int* rank, dnnl_dims_t dims, dnnl_dims_t strides) {
  const int64_t* s = c.strides[side];
  int n = 0;
  const auto axis = [&](int64_t size, int64_t step) {
    dims[n] = size;
    strides[n++] = step;
  };
  if (side == sideW) {
    if (c.groups > 1) axis(c.groups, s[0]);
    axis(c.outer, s[1]);
    axis(c.inner, s[2]);
  } else {
    const int64_t channels = side == sideX ? c.inner : c.outer;
    if (c.groups > 1 && channels > 1 && s[1] != channels * s[2]) return false;
    axis(c.batch, s[0]);
    axis(c.groups * channels, channels > 1 ? s[2] : s[1]);
  }
  const dnnl_dim_t* sizes = side == sideX ? c.x : side == sideW ? c.window : c.y;
  for (int d = 0; d < c.axes; d++) axis(sizes[d], s[3 + d]);
  *rank = n;
  for (int i = 0; i < n; i++) {
    if (dims[i] > 1 && strides[i] == 0) return false;
  }
  return true;
}

/// Batch, then the axes, then channels.
void lastStrides(int rank, const dnnl_dims_t dims, dnnl_dims_t strides) {
  int64_t step = dims[1];
  strides[1] = 1;
  for (int i = rank - 1; i >= 2; i--) {
    strides[i] = step;
    step *= dims[i];
  }
  strides[0] = step;
}

/// Whether the convolution is for Winograd's algorithm of our own; the gradient of x is one with its weights turned around.
bool planWinograd(Conv& conv, const Shape& c) {
  if (!c.winograd || c.result == sideW || c.axes != 2 || c.groups != 1) return false;
  const bool forward = c.result == sideY;
  const int64_t *x = c.strides[sideX], *y = c.strides[sideY], *w = c.strides[sideW];
  if (x[2] != 1 || y[2] != 1) return false;
  Winograd& own = conv.winograd;
  own.batch = c.batch;
  own.inputs = forward ? c.inner : c.outer;
  own.outputs = forward ? c.outer : c.inner;
  own.weightStrides[0] = forward ? w[1] : w[2];
  own.weightStrides[1] = forward ? w[2] : w[1];
  for (int d = 0; d < 2; d++) {
    if (c.window[d] != 3 || c.stride[d] != 1 || c.dilate[d] != 0) return false;
    own.from[d] = forward ? c.x[d] : c.y[d];
    own.to[d] = forward ? c.y[d] : c.x[d];
    own.pad[d] = forward ? c.before[d] : 2 - c.before[d];
    own.weightStrides[2 + d] = forward ? w[3 + d] : -w[3 + d];
    if (!forward) own.weightOffset += 2 * w[3 + d];
  }
  for (int i = 0; i < 3; i++) {
    const int from = i == 0 ? 0 : i + 2;
    own.fromStrides[i] = forward ? x[from] : y[from];
    own.toStrides[i] = forward ? y[from] : x[from];
  }
  conv.own = own.suits();
  conv.scratchBytes = conv.own ? roundUp(own.scratchBytes()) : 0;
  return conv.own;
}

/// A reorder; with `adds` one that adds to what is there. Null where there is none.
dnnl_primitive_t reorderBetween(const dnnl_memory_desc_t& from, const dnnl_memory_desc_t& to, bool adds,
                                dnnl_engine_t engine) {
  dnnl_primitive_attr_t attr;
  dnnl_post_ops_t sum;
  if (dnnl_primitive_attr_create(&attr) != dnnl_success) return nullptr;
  bool made = true;
  if (adds) {
    made = dnnl_post_ops_create(&sum) == dnnl_success;
    if (made) {
      made = dnnl_post_ops_append_sum(sum, 1.0f) == dnnl_success &&
             dnnl_primitive_attr_set_post_ops(attr, sum) == dnnl_success;
      dnnl_post_ops_destroy(sum);
    }
  }
  dnnl_primitive_desc_t desc = nullptr;
  dnnl_primitive_t primitive = nullptr;
  if (made && dnnl_reorder_primitive_desc_create(&desc, &from, engine, &to, engine, attr) ==
                  dnnl_success) {
    if (dnnl_primitive_create(&primitive, desc) != dnnl_success) primitive = nullptr;
    dnnl_primitive_desc_destroy(desc);
  }
  dnnl_primitive_attr_destroy(attr);
  return primitive;
}

bool prepareSide(ConvSide& side, const dnnl_memory_desc_t& given, const dnnl_memory_desc_t& wanted,
                 bool isResult, bool adds, dnnl_engine_t engine, int64_t* scratch) {
  if (dnnl_memory_create(&side.given, &given, engine, DNNL_MEMORY_NONE) != dnnl_success) {
    return false;
  }
  if (dnnl_memory_desc_equal(&given, &wanted) && !adds) return true;
  if (dnnl_memory_create(&side.inner, &wanted, engine, DNNL_MEMORY_NONE) != dnnl_success) {
    return false;
  }
  const dnnl_memory_desc_t &from = isResult ? wanted : given, &to = isResult ? given : wanted;
  side.reorder = reorderBetween(from, to, false, engine);
  if (adds) side.adding = reorderBetween(from, to, true, engine);
  side.scratch = *scratch;
  *scratch += roundUp(static_cast<int64_t>(dnnl_memory_desc_get_size(&wanted)));
  return side.reorder != nullptr && (!adds || side.adding != nullptr);
}

/// A primitive descriptor for the convolution; null where oneDNN has only its reference implementation.
dnnl_primitive_desc_t choose(const Shape& c, dnnl_alg_kind_t algorithm, const dnnl_memory_desc_t* x,
                             const dnnl_memory_desc_t* w, const dnnl_memory_desc_t* b,
                             const dnnl_memory_desc_t* y, dnnl_engine_t engine) {
  dnnl_primitive_attr_t attr;
  if (dnnl_primitive_attr_create(&attr) != dnnl_success) return nullptr;
  dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
  dnnl_convolution_desc_t forward, backward;
  dnnl_primitive_desc_t hint = nullptr, chosen = nullptr;
  dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
      &forward, dnnl_forward_training, algorithm, x, w, b, y, c.stride, c.dilate, c.before, c.after);
  if (status == dnnl_success) {
    status = dnnl_primitive_desc_create(&hint, &forward, attr, engine, nullptr);
  }
  if (status == dnnl_success && c.result == sideY) {
    chosen = hint;
    hint = nullptr;
  } else if (status == dnnl_success) {
    status = c.result == sideX
                 ? dnnl_dilated_convolution_backward_data_desc_init(
                       &backward, algorithm, x, w, y, c.stride, c.dilate, c.before, c.after)
                 : dnnl_dilated_convolution_backward_weights_desc_init(
                       &backward, algorithm, x, w, nullptr, y, c.stride, c.dilate, c.before, c.after);
    if (status == dnnl_success) {
      status = dnnl_primitive_desc_create(&chosen, &backward, attr, engine, hint);
    }
    if (status != dnnl_success) chosen = nullptr;
  }
  if (hint != nullptr) dnnl_primitive_desc_destroy(hint);
  dnnl_primitive_attr_destroy(attr);
  if (chosen == nullptr) return nullptr;
  const char* name = "";
  dnnl_primitive_desc_query(chosen, dnnl_query_impl_info_str, 0, &name);
  if (strstr(name, "ref") == nullptr) return chosen;
  dnnl_primitive_desc_destroy(chosen);
  return nullptr;
}

bool prepare(Conv& conv, const Shape& c, dnnl_engine_t engine) {
  conv.result = c.result;
  conv.hasBias = c.bias && c.result == sideY;
  dnnl_memory_desc_t given[3], asked[3], any[3], bias;
  for (int i = 0; i < 3; i++) {
    int rank;
    dnnl_dims_t dims, strides, last;
    if (!layout(c, i, &rank, dims, strides)) return false;
    lastStrides(rank, dims, last);
    double span = 1;
    for (int d = 0; d < rank; d++) {
      span += static_cast<double>(dims[d] - 1) * static_cast<double>(strides[d]);
      // An axis of one element has any stride: the one that makes layouts equal.
      if (dims[d] == 1 && i != sideW) strides[d] = last[d];
      if (dims[d] == 1 && i == sideW) strides[d] = 1;
    }
    conv.sides[i].bytes = 4 * span;
    if (dnnl_memory_desc_init_by_strides(&given[i], rank, dims, dnnl_f32, strides) !=
        dnnl_success) {
      return false;
    }
    if (dnnl_memory_desc_init_by_tag(&any[i], rank, dims, dnnl_f32, dnnl_format_tag_any) !=
        dnnl_success) {
      return false;
    }
    if (i == sideW) {
      asked[i] = any[i];
    } else if (dnnl_memory_desc_init_by_strides(&asked[i], rank, dims, dnnl_f32, last) !=
               dnnl_success) {
      return false;
    }
  }
  if (conv.hasBias) {
    const dnnl_dims_t dims = {c.groups * c.outer};
    conv.biasBytes = 4.0 * static_cast<double>(dims[0]);
    if (dnnl_memory_desc_init_by_tag(&bias, 1, dims, dnnl_f32, dnnl_a) != dnnl_success ||
        dnnl_memory_create(&conv.bias, &bias, engine, DNNL_MEMORY_NONE) != dnnl_success) {
      return false;
    }
  }
  if (planWinograd(conv, c)) return true;
  const dnnl_memory_desc_t* added = conv.hasBias ? &bias : nullptr;
  dnnl_primitive_desc_t desc = nullptr;
  if (c.winograd) {
    desc = choose(c, dnnl_convolution_winograd, &any[0], &any[1], added, &any[2], engine);
  }
  if (desc == nullptr) {
    desc = choose(c, dnnl_convolution_direct, &asked[0], &asked[1], added, &asked[2], engine);
  }
  if (desc == nullptr) return false;
  const bool forward = c.result == sideY;
  const int arguments[3] = {
      c.result == sideX ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC,
      c.result == sideW ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS,
      forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST,
  };
  bool made = true;
  for (int i = 0; i < 3 && made; i++) {
    const dnnl_memory_desc_t* wanted =
        dnnl_primitive_desc_query_md(desc, dnnl_query_exec_arg_md, arguments[i]);
    const bool adds = i == sideW && c.result == sideW;
    made = prepareSide(conv.sides[i], given[i], *wanted, i == c.result, adds, engine,
                       &conv.scratchBytes);
    if (made) conv.arguments[conv.argumentCount++] = {arguments[i], conv.sides[i].used()};
  }
  if (made && conv.hasBias) conv.arguments[conv.argumentCount++] = {DNNL_ARG_BIAS, conv.bias};
  const dnnl_memory_desc_t* pad = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
  const int64_t padBytes = static_cast<int64_t>(dnnl_memory_desc_get_size(pad));
  if (made && padBytes > 0) {
    made = dnnl_memory_create(&conv.pad, pad, engine, DNNL_MEMORY_NONE) == dnnl_success;
    conv.padScratch = conv.scratchBytes;
    conv.scratchBytes += roundUp(padBytes);
    if (made) conv.arguments[conv.argumentCount++] = {DNNL_ARG_SCRATCHPAD, conv.pad};
  }
  if (made && dnnl_primitive_create(&conv.primitive, desc) != dnnl_success) {
    conv.primitive = nullptr;
    made = false;
  }
  dnnl_primitive_desc_destroy(desc);
  return made;
}

char* scratch(Bridge& bridge, int64_t bytes) {
  if (bytes > bridge.scratchBytes) {
    free(bridge.scratch);
    bridge.scratch = static_cast<char*>(aligned_alloc(64, static_cast<size_t>(bytes)));
    bridge.scratchBytes = bridge.scratch == nullptr ? 0 : bytes;
  }
  return bridge.scratch;
}

dnnl_status_t reorder(const ConvSide& side, bool isResult, bool adds, dnnl_stream_t stream) {
  const dnnl_memory_t from = isResult ? side.inner : side.given;
  const dnnl_memory_t to = isResult ? side.given : side.inner;
  const dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  return dnnl_primitive_execute(adds ? side.adding : side.reorder, stream, 2, arguments);
}

dnnl_status_t run(const Conv& conv, Bridge& bridge, float* const places[4], bool again) {
  OneThread one;
  NoSignals quiet(true);
  char* own = conv.scratchBytes > 0 ? scratch(bridge, conv.scratchBytes) : nullptr;
  if (conv.scratchBytes > 0 && own == nullptr) return dnnl_out_of_memory;
  if (conv.own) {
    const bool forward = conv.result == sideY;
    conv.winograd.run(places[forward ? sideX : sideY], places[sideW], places[3],
                      places[forward ? sideY : sideX], own, again);
    return dnnl_success;
  }
  dnnl_status_t status = dnnl_success;
  for (int i = 0; i < 3 && status == dnnl_success; i++) {
    const ConvSide& side = conv.sides[i];
    status = dnnl_memory_set_data_handle(side.given, places[i]);
    if (side.inner == nullptr || status != dnnl_success) continue;
    status = dnnl_memory_set_data_handle(side.inner, own + side.scratch);
    const bool given = i != conv.result;
    if (status == dnnl_success && given && !(i == sideW && again)) {
      status = reorder(side, false, false, bridge.stream);
    }
  }
  if (status == dnnl_success && conv.bias != nullptr) {
    status = dnnl_memory_set_data_handle(conv.bias, places[3]);
  }
  if (status == dnnl_success && conv.pad != nullptr) {
    status = dnnl_memory_set_data_handle(conv.pad, own + conv.padScratch);
  }
  if (status == dnnl_success) {
    status = dnnl_primitive_execute(conv.primitive, bridge.stream, conv.argumentCount,
                                    conv.arguments);
  }
  for (int i = 0; i < 3 && status == dnnl_success; i++) {
    const ConvSide& side = conv.sides[i];
    if (side.inner != nullptr && i == conv.result) {
      status = reorder(side, true, again && i == sideW, bridge.stream);
    }
  }
  return status;
}

}  // namespace

napi_value convCreate(napi_env env, napi_callback_info info) {
  const dnnl_engine_t engine = Args<1>(env, info).bridge->engine;
  return createHandle(env, info, "convCreate", fields, &Bridge::convs,
                      [&](const double* spec, Conv& conv) {
                        Shape shape;
                        return shape.read(spec) && prepare(conv, shape, engine);
                      });
}

napi_value convRun(napi_env env, napi_callback_info info) {
  Args<6> args(env, info);
  Bridge& bridge = *args.bridge;
  const int32_t handle = args.integer(0);
  const Conv* conv = bridge.convs.find(handle);
  if (conv == nullptr) return fail(env, "[convRun] %d is no handle", handle);
  static const char* const names[4] = {"x", "w", "y", "bias"};
  float* places[4] = {};
  for (int i = 0; i < (conv->hasBias ? 4 : 3); i++) {
    const double address = args.number(i + 1);
    const double bytes = i < 3 ? conv->sides[i].bytes : conv->biasBytes;
    if (!inside(bridge, address, bytes)) {
      return fail(env, "[convRun] %s: %.0f bytes at %.0f leave the attached memory", names[i],
                  bytes, address);
    }
    places[i] = reinterpret_cast<float*>(at(bridge, address));
  }
  const dnnl_status_t status = run(*conv, bridge, places, args.integer(5) == 1);
  if (status != dnnl_success) return fail(env, "[convRun] oneDNN: %s", statusName(status));
  napi_value zero;
  napi_create_int32(env, 0, &zero);
  return zero;
}

napi_value convFree(napi_env env, napi_callback_info info) {
  return freeHandle(env, info, "convFree", &Bridge::convs);
}

void freeConvs(Bridge& bridge) {
  bridge.convs.clear();
  free(bridge.scratch);
  bridge.scratch = nullptr;
  bridge.scratchBytes = 0;
}
