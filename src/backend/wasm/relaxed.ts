/** Which optional WebAssembly features this engine takes. */

import { ModuleBuilder } from './module.ts'

let relaxed: boolean | undefined

/** Whether relaxed SIMD (fused multiply-add) compiles here: false in Node 20, true in Node 22. */
export function hasRelaxedSimd(): boolean {
  if (relaxed === undefined) {
    const m = new ModuleBuilder({ memory: null })
    const f = m.func(['v128', 'v128', 'v128'], ['v128'])
    f.get(0).get(1).get(2).op('f32x4.relaxed_madd')
    relaxed = WebAssembly.validate(m.assemble())
  }
  return relaxed
}
