/** Where handed-over work comes from, for errors that show up later. */

import { callSite } from '../base/callSite.ts'
import { frame, place } from '../core/frame.ts'

type Note = () => { operator: string; place: string }

let call = -1
let note: Note

/** Notes the operator, the layers and the caller's line in force; tells them when asked. Once for all work of one call. */
export function noteOrigin(): Note {
  if (call === frame.calls) return note
  call = frame.calls
  const { operator } = frame
  const layers = [...frame.layers]
  const site = callSite()
  note = () => ({ operator, place: place(layers, site()) })
  return note
}
