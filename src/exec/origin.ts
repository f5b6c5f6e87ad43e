/** Where handed-over work comes from, for errors that show up later. */

import { callSite } from '../base/callSite.ts'
import { frame, place } from '../core/frame.ts'

/** Notes the operator, the layers and the caller's line in force; tells them when asked. */
export function noteOrigin(): () => { operator: string; place: string } {
  const { operator } = frame
  const layers = [...frame.layers]
  const site = callSite()
  return () => ({ operator, place: place(layers, site()) })
}
