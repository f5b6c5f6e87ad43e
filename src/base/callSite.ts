/** Where the user's program calls the library: the first line of a stack that is not the library's own. */

/** Everything before the library's own folder or file, as stack lines show it. */
const own = import.meta.url.replace(/base\/callSite\.[jt]s.*$/, '')

/** Notes the place of the call now; tells it, as `file:line:column`, when asked (which costs more). */
export function callSite(): () => string {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 30
  const { stack } = new Error()
  Error.stackTraceLimit = limit
  return () => placeIn(stack ?? '')
}

/** The first place in a stack outside the library; an empty text when there is none. */
function placeIn(stack: string): string {
  for (const line of stack.split('\n').slice(1)) {
    const place = /\(?((?:file:\/\/|https?:\/\/|\/)[^()]*:\d+:\d+)\)?$/.exec(line.trim())?.[1]
    if (place !== undefined && !place.startsWith(own) && !`file://${place}`.startsWith(own))
      return place.replace('file://', '')
  }
  return ''
}
