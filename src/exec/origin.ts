/** Where handed-over work comes from, for errors that show up later. */

import { callSite } from '../base/callSite.ts'
import { frame, place } from '../core/frame.ts'

let call = -1
let site: () => string

/** Notes the operator, the layers and the caller's line in force; tells them when asked. The line is looked for once a call. */
export function noteOrigin(): () => { operator: string; place: string } {
  if (call !== frame.calls) {
    call = frame.calls
    site = callSite()
  }
  const { operator } = frame
  const [layers, line] = [[...frame.layers], site]
  return () => ({ operator, place: place(layers, line()) })
}
