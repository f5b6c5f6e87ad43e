// Which holders have been collected: basic finalizers, which run inside the collection, and a queue of slots.
#include <algorithm>
#include <cstring>

#include "bridge.h"

namespace {

constexpr int32_t maxSlot = 1 << 28;
// A call into the collector's bookkeeping for every small array would cost more than it tells.
constexpr int64_t reportStep = 256 * 1024;

/// Must come last in a function: a positive report may collect and so run finalizers before it returns.
inline void report(Bridge& bridge) {
  if (bridge.unreported < reportStep && bridge.unreported > -reportStep) return;
  const int64_t change = bridge.unreported;
  bridge.unreported = 0;
  int64_t total;
  napi_adjust_external_memory(bridge.env, change, &total);
}

/// Runs inside a collection: touches no JavaScript value.
void collected(node_api_basic_env, void* data, void* hint) {
  Bridge& bridge = *static_cast<Bridge*>(data);
  bridge.watched--;
  if (bridge.closed) {
    if (bridge.watched == 0) delete &bridge;
    return;
  }
  const auto slot = static_cast<int32_t>(reinterpret_cast<intptr_t>(hint));
  bridge.collected.push_back(slot);
  bridge.unreported -= bridge.slotBytes[slot];
  bridge.slotBytes[slot] = 0;
  if (bridge.pending != nullptr) __atomic_fetch_add(bridge.pending, 1u, __ATOMIC_RELAXED);
  report(bridge);
}

}  // namespace

napi_value setPendingCounter(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Bridge& bridge = *args.bridge;
  const double address = args.number(0);
  if (!inside(bridge, address, 4) || static_cast<int64_t>(address) % 4 != 0) {
    return fail(env, "[setPendingCounter] %.0f is no place for a u32 in the memory", address);
  }
  bridge.pending = reinterpret_cast<uint32_t*>(at(bridge, address));
  __atomic_store_n(bridge.pending, static_cast<uint32_t>(bridge.collected.size()),
                   __ATOMIC_RELAXED);
  return nullptr;
}

napi_value watch(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  Bridge& bridge = *args.bridge;
  const int32_t slot = args.integer(1);
  const double bytes = args.number(2);
  if (slot < 0 || slot >= maxSlot || !(bytes >= 0)) {
    return fail(env, "[watch] slot %d with %.0f bytes", slot, bytes);
  }
  if (static_cast<size_t>(slot) >= bridge.slotBytes.size()) {
    bridge.slotBytes.resize(std::max<size_t>(slot + 1, bridge.slotBytes.size() * 2));
  }
  // Not napi_wrap: its private property would change the holder's hidden class.
  if (napi_add_finalizer(env, args.values[0], &bridge, collected,
                         reinterpret_cast<void*>(static_cast<intptr_t>(slot)),
                         nullptr) != napi_ok) {
    return fail(env, "[watch] the holder is no object");
  }
  bridge.watched++;
  bridge.slotBytes[slot] = static_cast<int64_t>(bytes);
  bridge.unreported += static_cast<int64_t>(bytes);
  report(bridge);
  return nullptr;
}

napi_value forget(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Bridge& bridge = *args.bridge;
  const int32_t slot = args.integer(0);
  if (slot < 0 || static_cast<size_t>(slot) >= bridge.slotBytes.size()) {
    return fail(env, "[forget] slot %d was never watched", slot);
  }
  bridge.unreported -= bridge.slotBytes[slot];
  bridge.slotBytes[slot] = 0;
  report(bridge);
  return nullptr;
}

napi_value drain(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Bridge& bridge = *args.bridge;
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, args.values[0], &type, &length, &data, nullptr, nullptr) !=
          napi_ok ||
      type != napi_int32_array) {
    return fail(env, "[drain] needs an Int32Array");
  }
  std::vector<int32_t>& queue = bridge.collected;
  const size_t count = std::min(length, queue.size());
  if (count > 0) {
    memcpy(data, queue.data() + (queue.size() - count), count * sizeof(int32_t));
    queue.resize(queue.size() - count);
    if (bridge.pending != nullptr) {
      __atomic_fetch_sub(bridge.pending, static_cast<uint32_t>(count), __ATOMIC_RELAXED);
    }
  }
  napi_value result;
  napi_create_uint32(env, static_cast<uint32_t>(count), &result);
  return result;
}
