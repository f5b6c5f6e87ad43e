/** Checkpoints: a symbol and its parameters in MXNet's two files. */

import type { Context } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { load, save } from '../ndarray/files.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import type { Symbolic } from './symbol.ts'
import { load as loadSymbol } from './variable.ts'

/** Arrays by name. */
export type Parameters = { readonly [name: string]: NDArray }

const paramsFile = (prefix: string, epoch: number): string => {
  if (!Number.isInteger(epoch) || epoch < 0)
    fail('model', `epoch is ${String(epoch)}: it must be an integer of at least 0`)
  return `${prefix}-${String(epoch).padStart(4, '0')}.params`
}

/**
 * Writes `prefix-symbol.json` and `prefix-0000.params` (the epoch in four digits); returns both names.
 * @throws MXNetError when a file cannot be written.
 * @example
 * const net = mx.sym.fullyConnected(mx.sym.var('data'), { numHidden: 2, name: 'fc' })
 * const args = { fc_weight: nd.ones([2, 3]), fc_bias: nd.zeros([2]) }
 * await mx.model.saveCheckpoint('mlp', 3, net, args, {}) // => ['mlp-symbol.json', 'mlp-0003.params']
 * @see MXNet `mx.model.save_checkpoint`
 */
export async function saveCheckpoint(
  prefix: string,
  epoch: number,
  symbol: Symbolic | null,
  argParams: Parameters,
  auxParams: Parameters = {},
): Promise<[symbol: string, params: string]> {
  const file = paramsFile(prefix, epoch)
  if (symbol !== null) await symbol.save(`${prefix}-symbol.json`)
  const named = (kind: string, params: Parameters): [string, NDArray][] =>
    Object.entries(params).map(([name, array]) => [`${kind}:${name}`, array])
  await save(file, Object.fromEntries([...named('arg', argParams), ...named('aux', auxParams)]))
  return [`${prefix}-symbol.json`, file]
}

/**
 * The arguments and auxiliary states in `prefix-0000.params`.
 * @throws MXNetError when the file is missing or damaged, or names neither arguments nor states.
 * @see MXNet `mx.model.load_params`
 */
export async function loadParams(
  prefix: string,
  epoch: number,
  { ctx }: { readonly ctx?: Context } = {},
): Promise<[argParams: { [name: string]: NDArray }, auxParams: { [name: string]: NDArray }]> {
  const file = paramsFile(prefix, epoch)
  const found = await load(file, { ctx })
  const [args, aux]: { [name: string]: NDArray }[] = [{}, {}]
  for (const [key, array] of Object.entries(found)) {
    const match = /^(arg|aux):(.*)$/s.exec(key)
    if (match === null)
      return fail('loadParams', `${file} has ${key}: names in a checkpoint begin with arg: or aux:`)
    const into = match[1] === 'arg' ? args! : aux!
    into[match[2]!] = array
  }
  return [args!, aux!]
}

/**
 * The symbol, arguments and auxiliary states that `saveCheckpoint` or `export` wrote.
 * @throws MXNetError when a file is missing or damaged.
 * @example
 * const net = mx.sym.fullyConnected(mx.sym.var('data'), { numHidden: 2, name: 'fc' })
 * await mx.model.saveCheckpoint('fc', 0, net, { fc_weight: nd.ones([2, 3]) })
 * const [loaded, params] = await mx.model.loadCheckpoint('fc', 0)
 * loaded.listArguments().filter((name) => name in params) // => ['fc_weight']
 * @see MXNet `mx.model.load_checkpoint`
 */
export async function loadCheckpoint(
  prefix: string,
  epoch: number,
  options: { readonly ctx?: Context } = {},
): Promise<
  [Symbolic, argParams: { [name: string]: NDArray }, auxParams: { [name: string]: NDArray }]
> {
  const symbol = await loadSymbol(`${prefix}-symbol.json`)
  return [symbol, ...(await loadParams(prefix, epoch, options))]
}
