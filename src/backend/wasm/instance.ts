/** Making the code of this backend ready on another thread, over the same memory. */

import { callRoutine } from './call.ts'
import { importedFunctions } from './imports.ts'

/** The function behind code of kind wasm (the export `name` of a module) or routine. */
export function instantiate(
  memory: WebAssembly.Memory,
  kind: 'wasm' | 'routine',
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
): (...numbers: number[]) => void {
  if (kind === 'routine') return callRoutine(memory, bytes, name)
  const env = { ...importedFunctions, memory } as WebAssembly.ModuleImports
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env })
  return instance.exports[name] as (...numbers: number[]) => void
}
