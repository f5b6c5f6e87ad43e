/** HybridBlocks as graphs: to look at after each pass, as symbols, and as the files that `export` writes. */

import { fail } from '../base/error.ts'
import type { Aval } from '../core/aval.ts'
import type { Tensor } from '../core/tensor.ts'
import type { GraphView } from '../ndarray/cachedOp.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { saveCheckpoint } from '../symbol/model.ts'
import { assuming, type Symbolic } from '../symbol/symbol.ts'
import { group, variable } from '../symbol/variable.ts'
import { HybridBlock } from './block.ts'

declare module './block.ts' {
  interface HybridBlock {
    /**
     * What `forward` becomes for these inputs, to look at after each pass: `net.graph(x).print('lowered')`.
     * @example
     * const net = new gluon.nn.Dense(2, { inUnits: 3 })
     * net.initialize()
     * net.graph(nd.ones([1, 3])).text('traced').includes('FullyConnected') // => true
     */
    graph(...inputs: NDArray[]): GraphView
    /**
     * The block as a symbol of its inputs: `data`, or `data0`, `data1` … when there are several.
     *
     * `forward` may read shapes once the block has run.
     * @throws MXNetError when `forward` takes several inputs and the block has not run.
     * @example
     * new gluon.nn.Dense(2, { prefix: 'fc_' }).toSymbol().listArguments() // => ['data', 'fc_weight', 'fc_bias']
     */
    toSymbol(): Symbolic
    /**
     * Writes the network as MXNet's files: `path-symbol.json`, and its parameters as `path-0000.params`.
     *
     * `SymbolBlock.imports` reads them, as does MXNet. Gives the names of both files.
     * @throws MXNetError when a parameter is not initialized, or `forward` is not made of operators.
     * @example
     * const net = new gluon.nn.Dense(3, { inUnits: 4, prefix: 'fc_' })
     * net.initialize()
     * await net.export('model') // => ['model-symbol.json', 'model-0000.params']
     * @see MXNet `HybridBlock.export`
     */
    export(path: string, epoch?: number): Promise<[symbol: string, params: string]>
  }
}

HybridBlock.prototype.graph = function (...inputs) {
  const given = inputs.length > 0 ? inputs.map((x) => x.aval) : this.lastInputs
  if (given === null)
    fail(this.constructor.name, 'there is no graph yet: run the block, or give inputs')
  return this.cachedOp.view(given)
}

HybridBlock.prototype.toSymbol = function () {
  const inputs = this.lastInputs
  const where = this.constructor.name
  if (inputs === null && this.forward.length > 1)
    fail(
      where,
      `forward takes ${this.forward.length} inputs: run the block once, so that they are known`,
    )
  if (inputs?.includes(null))
    fail(where, 'it was run with an input left out: a symbol needs all of them')
  const avals = (inputs ?? []) as readonly Aval[]
  const names = avals.length > 1 ? avals.map((_, i) => `data${i}`) : ['data']
  const known = Object.fromEntries(avals.map((a, i) => [names[i]!, a]))
  const result: unknown = assuming(known, () => this(...names.map((n): Tensor => variable(n))))
  return group((Array.isArray(result) ? result : [result]) as readonly Symbolic[])
}

HybridBlock.prototype.export = async function (path, epoch = 0) {
  const symbol = this.toSymbol()
  const parameters = [...this.collectParams()]
  const arraysOf = (names: readonly string[]): { [name: string]: NDArray } =>
    Object.fromEntries(
      parameters.flatMap(([name, p]) => (names.includes(name) ? [[name, p.reduce()]] : [])),
    )
  const [args, states] = [symbol.listArguments(), symbol.listAuxiliaryStates()]
  return saveCheckpoint(path, epoch, symbol, arraysOf(args), arraysOf(states))
}
