/** Running `forward` on symbols: parameters answer as variables, and names begin with the block's prefix. */

import { withFrame } from '../core/frame.ts'
import { withNodeOptions } from '../symbol/compose.ts'
import { Prefix } from '../symbol/names.ts'
import { type ParameterSource, withParameterSource } from './parameter.ts'

const variables: ParameterSource = (parameter) => parameter.var()

/** Runs `body` so that its operators compose; `first` is the name of the first of them, null for a made one. */
export function composing<R>(prefix: string, first: string | null, body: () => R): R {
  const run = (): R => withNodeOptions(first === null ? {} : { name: first }, body)
  return withFrame({ composing: true, tracing: false, recording: false }, () =>
    withParameterSource(variables, () => (prefix === '' ? run() : new Prefix(prefix).use(run))),
  )
}
