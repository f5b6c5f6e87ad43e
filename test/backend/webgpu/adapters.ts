/** GPUs for tests: the machine's own, or SwiftShader, the processor that plays one, where Debian's chromium brings it. */

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'

const driver = '/usr/lib/chromium/vk_swiftshader_icd.json'

/** Points Vulkan to SwiftShader unless it is told something else; must run before Dawn loads. */
export function useSwiftShader(): void {
  if (process.env.VK_ICD_FILENAMES === undefined && existsSync(driver))
    process.env.VK_ICD_FILENAMES = driver
  process.env.XDG_RUNTIME_DIR ??= tmpdir()
}

let gpu: GPU | undefined

/** Dawn's `navigator.gpu`. */
export async function dawn(): Promise<GPU> {
  if (gpu === undefined) {
    useSwiftShader()
    const { create } = createRequire(import.meta.url)('webgpu') as {
      create(options: string[]): GPU
    }
    gpu = create([])
  }
  return gpu
}

const bridge = fileURLToPath(new URL('../../../native/build/bridge.node', import.meta.url))

/** Why there is no GPU to test on, or null. */
export async function missingGpu(): Promise<string | null> {
  // GPUs do not care which backend the CPU has.
  if (process.env.MXNET_BACKEND === 'wasm' && existsSync(bridge)) return 'tested in the native run'
  try {
    const adapter = await (await dawn()).requestAdapter()
    return adapter === null
      ? `no adapter: install chromium and libvulkan1 (npm run setup) for ${driver}`
      : null
  } catch (e) {
    return `npm webgpu does not load: ${(e as Error).message.split('\n')[0]}`
  }
}

/** An adapter; fails where there is none. */
export async function openAdapter(): Promise<GPUAdapter> {
  const adapter = await (await dawn()).requestAdapter()
  if (adapter === null) throw new Error('no adapter')
  return adapter
}
