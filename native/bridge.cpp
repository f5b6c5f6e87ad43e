// The module: one Bridge a JavaScript environment, the memory it works on, and its end.
#include "bridge.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>

napi_value fail(napi_env env, const char* format, ...) {
  char message[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  napi_throw_error(env, nullptr, message);
  return nullptr;
}

namespace {

const char* isaName() {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_all: return "all";
    case dnnl_cpu_isa_sse41: return "sse41";
    case dnnl_cpu_isa_avx: return "avx";
    case dnnl_cpu_isa_avx2: return "avx2";
    case dnnl_cpu_isa_avx2_vnni: return "avx2_vnni";
    case dnnl_cpu_isa_avx512_mic: return "avx512_mic";
    case dnnl_cpu_isa_avx512_mic_4ops: return "avx512_mic_4ops";
    case dnnl_cpu_isa_avx512_core: return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni: return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16: return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx: return "avx512_core_amx";
    default: return "unknown";
  }
}

napi_value versions(napi_env env, napi_callback_info) {
  const dnnl_version_t* version = dnnl_version();
  char onednn[32];
  snprintf(onednn, sizeof onednn, "%d.%d.%d", version->major, version->minor, version->patch);
  napi_value result, value;
  napi_create_object(env, &result);
  napi_create_int32(env, 1, &value);
  napi_set_named_property(env, result, "bridge", value);
  napi_create_string_utf8(env, onednn, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, result, "onednn", value);
  napi_create_string_utf8(env, isaName(), NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, result, "isa", value);
  return result;
}

napi_value attach(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  Bridge& bridge = *args.bridge;
  napi_typedarray_type type;
  size_t length = 0, offset = 0;
  void* data = nullptr;
  const double limit = args.number(1);
  if (napi_get_typedarray_info(env, args.values[0], &type, &length, &data, nullptr, &offset) !=
          napi_ok ||
      type != napi_uint8_array || data == nullptr || offset != 0) {
    return fail(env, "[attach] needs a Uint8Array over the whole memory");
  }
  if (!(limit >= static_cast<double>(length))) {
    return fail(env, "[attach] maxBytes is less than the %zu bytes of the memory", length);
  }
  napi_ref memory = nullptr;
  if (napi_create_reference(env, args.values[0], 1, &memory) != napi_ok) {
    return fail(env, "[attach] the memory cannot be held");
  }
  if (bridge.memory != nullptr) napi_delete_reference(env, bridge.memory);
  bridge.memory = memory;
  bridge.base = static_cast<char*>(data);
  bridge.limit = limit;
  bridge.pending = nullptr;
  return nullptr;
}

napi_value copy(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  const double to = args.number(0), from = args.number(1), bytes = args.number(2);
  const Bridge& bridge = *args.bridge;
  if (!inside(bridge, to, bytes) || !inside(bridge, from, bytes)) {
    return fail(env, "[copy] %.0f bytes from %.0f to %.0f leave the memory", bytes, from, to);
  }
  memmove(at(bridge, to), at(bridge, from), static_cast<size_t>(bytes));
  return nullptr;
}

napi_value fill(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  const double address = args.number(0), bytes = args.number(2);
  const Bridge& bridge = *args.bridge;
  if (!inside(bridge, address, bytes)) {
    return fail(env, "[fill] %.0f bytes at %.0f leave the memory", bytes, address);
  }
  memset(at(bridge, address), args.integer(1), static_cast<size_t>(bytes));
  return nullptr;
}

/// Finalizers may still run after `finish`, so the last of the two frees.
void finish(void* data) {
  Bridge& bridge = *static_cast<Bridge*>(data);
  bridge.closed = true;
  bridge.pending = nullptr;
  bridge.base = nullptr;
  bridge.limit = 0;
  freeMatmuls(bridge);
  freeConvs(bridge);
  freePools(bridge);
  if (bridge.stream != nullptr) dnnl_stream_destroy(bridge.stream);
  if (bridge.engine != nullptr) dnnl_engine_destroy(bridge.engine);
  bridge.stream = nullptr;
  bridge.engine = nullptr;
  if (bridge.watched == 0) delete &bridge;
}

}  // namespace

NAPI_MODULE_INIT() {
  Bridge* bridge = new (std::nothrow) Bridge;
  if (bridge == nullptr) return fail(env, "[bridge] out of memory");
  bridge->env = env;
  OneThread one;
  dnnl_status_t status = dnnl_engine_create(&bridge->engine, dnnl_cpu, 0);
  if (status == dnnl_success) {
    status = dnnl_stream_create(&bridge->stream, bridge->engine, dnnl_stream_default_flags);
  }
  if (status != dnnl_success || napi_add_env_cleanup_hook(env, finish, bridge) != napi_ok) {
    finish(bridge);
    return fail(env, "[bridge] oneDNN does not start: %s", statusName(status));
  }
  const struct {
    const char* name;
    napi_callback call;
  } functions[] = {
      {"versions", versions},         {"attach", attach},
      {"matmulCreate", matmulCreate}, {"matmulRun", matmulRun},
      {"matmulFree", matmulFree},     {"setPendingCounter", setPendingCounter},
      {"softmaxRun", softmaxRun},
      {"normalizeRun", normalizeRun},
      {"watch", watch},               {"forget", forget},
      {"drain", drain},               {"copy", copy},
      {"fill", fill},                 {"convCreate", convCreate},
      {"convRun", convRun},           {"convFree", convFree},
      {"poolCreate", poolCreate},     {"poolRun", poolRun},
      {"poolFree", poolFree},
  };
  for (const auto& [name, call] : functions) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, call, bridge, &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}
