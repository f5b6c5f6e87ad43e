/** How MXNet lists an operator's inputs and outputs in a graph, where that does not follow from our record. */

import type { OpDef } from '../core/op.ts'
import { opOf, type SymbolNode } from './node.ts'

type Attrs = { readonly [name: string]: unknown }

interface Listing {
  /** Names of the results, as `listOutputs` has them, or how many are numbered; by default one, `output`. */
  readonly outputs?: (attrs: Attrs, inputs: number) => readonly string[] | number
  /** How many results MXNet's files count; by default as many as there are. */
  readonly counted?: (attrs: Attrs) => number
  /** The inputs that these attributes call for; by default those that are not optional. */
  readonly inputs?: (attrs: Attrs) => readonly string[]
  /** Inputs that the operator keeps up to date by itself: auxiliary states. */
  readonly aux?: readonly string[]
  /** `__init__` of variables that are made for inputs. */
  readonly init?: { readonly [input: string]: string }
  /** The beginning of names that are made, where it is not the operator's name. */
  readonly hint?: string
  /** What files give as `num_args` of any number of inputs, null if nothing; by default their number. */
  readonly numArgs?: (count: number) => number | null
}

const weighted = {
  inputs: ({ noBias }: Attrs) =>
    noBias === true ? ['data', 'weight'] : ['data', 'weight', 'bias'],
}
const when = (flag: unknown, name: string): string[] => (flag === true ? [name] : [])

const normalized = {
  outputs: ({ outputMeanVar }: Attrs) =>
    outputMeanVar === true ? ['output', 'mean', 'std'] : ['output'],
  counted: () => 3,
}
const batchNorm: Listing = {
  outputs: ({ outputMeanVar }) => (outputMeanVar === true ? ['output', 'mean', 'var'] : ['output']),
  counted: () => 3,
  aux: ['moving_mean', 'moving_var'],
  init: { moving_mean: '["zero", {}]', moving_var: '["one", {}]' },
}

const listings: { readonly [op: string]: Listing } = {
  FullyConnected: weighted,
  Convolution: weighted,
  Deconvolution: weighted,
  SliceChannel: {
    outputs: ({ numOutputs }) => numOutputs as number,
    hint: 'split',
  },
  _split_v2: {
    outputs: ({ sections, indices }) =>
      (sections as number) || ((indices as readonly number[]) ?? []).length,
    hint: 'split_v2',
  },
  SwapAxis: { hint: 'swapaxes' },
  BatchNorm: batchNorm,
  _contrib_SyncBatchNorm: batchNorm,
  _contrib_BatchNormWithReLU: batchNorm,
  LayerNorm: normalized,
  GroupNorm: normalized,
  InstanceNorm: { counted: () => 3 },
  L2Normalization: { counted: () => 2 },
  LRN: { counted: () => 2 },
  Dropout: { counted: () => 2 },
  Pooling: { counted: ({ poolType }) => (poolType === 'max' || poolType === undefined ? 2 : 1) },
  LeakyReLU: {
    inputs: ({ actType }) => (actType === 'prelu' ? ['data', 'gamma'] : ['data']),
    counted: ({ actType }) => (actType === 'rrelu' ? 2 : 1),
    init: { gamma: '["Constant", {"value": 0.25}]' },
  },
  RNN: {
    inputs: ({ mode, useSequenceLength }) => [
      'data',
      'parameters',
      'state',
      ...when(mode === 'lstm', 'state_cell'),
      ...when(useSequenceLength, 'sequence_length'),
    ],
    outputs: ({ mode, stateOutputs }) => {
      if (stateOutputs !== true) return ['output']
      return mode === 'lstm' ? ['output', 'state', 'state_cell'] : ['output', 'state']
    },
  },
  CTCLoss: {
    inputs: ({ useDataLengths, useLabelLengths }) => [
      'data',
      'label',
      ...when(useDataLengths, 'data_lengths'),
      ...when(useLabelLengths, 'label_lengths'),
    ],
    counted: () => 2,
  },
  softmax: { inputs: ({ useLength }) => ['data', ...when(useLength, 'length')] },
  SequenceMask: sequence(),
  SequenceLast: sequence(),
  SequenceReverse: sequence(),
  topk: {
    outputs: ({ retTyp }) => (retTyp === 'both' ? 2 : 1),
  },
  amp_multicast: { outputs: ({ numOutputs }, inputs) => (numOutputs as number | null) ?? inputs },
  _contrib_bipartite_matching: { outputs: () => 2 },
  _contrib_MultiBoxTarget: { outputs: () => ['loc_target', 'loc_mask', 'cls_target'] },
  _contrib_box_encode: { outputs: () => 2 },
  _contrib_Proposal: scored(),
  _contrib_MultiProposal: scored(),
  _contrib_calibrate_entropy: { outputs: () => ['threshold', 'divergence'] },
  _contrib_hawkesll: { outputs: () => 2 },
  _contrib_quantize: ranged(),
  _contrib_quantize_v2: ranged(),
  _contrib_requantize: ranged(),
  _contrib_quantized_act: ranged(),
  _contrib_quantized_batch_norm: { ...ranged(), aux: batchNorm.aux!, init: batchNorm.init! },
  _contrib_quantized_concat: { ...ranged(), numArgs: (count) => count / 3 },
  _contrib_quantized_conv: { ...ranged(), numArgs: () => null },
  _contrib_quantized_elemwise_add: ranged(),
  _contrib_quantized_elemwise_mul: {
    outputs: ({ enableFloatOutput }) =>
      enableFloatOutput === true ? ['output'] : ['output', 'min_output', 'max_output'],
  },
  _contrib_quantized_embedding: ranged(),
  _contrib_quantized_flatten: ranged(),
  _contrib_quantized_fully_connected: { ...ranged(), numArgs: () => null },
  _contrib_quantized_pooling: ranged(),
  _contrib_DeformableConvolution: {
    inputs: ({ noBias }) => ['data', 'offset', 'weight', ...when(noBias !== true, 'bias')],
  },
  _contrib_ModulatedDeformableConvolution: {
    inputs: ({ noBias }) => ['data', 'offset', 'mask', 'weight', ...when(noBias !== true, 'bias')],
  },
  _contrib_DeformablePSROIPooling: {
    inputs: ({ noTrans }) => ['data', 'rois', ...when(noTrans !== true, 'trans')],
    counted: () => 2,
  },
  _sample_unique_zipfian: { outputs: () => 2 },
  _histogram: { outputs: () => 2 },
  _foreach: counted(),
  _while_loop: counted(),
  _cond: counted(),
  moments: { outputs: () => ['mean', 'var'] },
  _linalg_slogdet: { outputs: () => 2 },
  _linalg_gelqf: { outputs: () => 2 },
  _linalg_syevd: { outputs: () => 2 },
}

function sequence(): Listing {
  return {
    inputs: ({ useSequenceLength }) => ['data', ...when(useSequenceLength, 'sequence_length')],
  }
}

/** Proposals come with their scores when asked for. */
function scored(): Listing {
  return {
    counted: () => 2,
    outputs: ({ outputScore }) => (outputScore === true ? ['output', 'score'] : ['output']),
  }
}

/** Quantized arrays come with their range. */
function ranged(): Listing {
  return { outputs: () => ['output', 'min_output', 'max_output'] }
}

/** Loops and branches say how many results they have. */
function counted(): Listing {
  return { outputs: ({ numOutputs }) => numOutputs as number }
}

const nothing: Listing = {}
const listingOf = (op: OpDef): Listing =>
  Object.hasOwn(listings, op.name) ? listings[op.name]! : nothing

/** Whether the operator takes any number of arrays. */
export const isVariadic = (op: OpDef): boolean => op.spec.inputs.some((n) => n.startsWith('...'))

/** What files give as `num_args` of an operator with so many inputs, null if nothing. */
export function argumentCount(op: OpDef, count: number): number | null {
  if (!isVariadic(op) || Object.hasOwn(op.schema, 'numArgs')) return null
  const { numArgs } = listingOf(op)
  return numArgs === undefined ? count : numArgs(count)
}

const plain = (name: string): string => name.replace(/^\.\.\./, '').replace(/\?$/, '')

/** How many results an operator with these (full) attributes and so many inputs shows. */
export function outputCount(op: OpDef, attrs: Attrs, inputs: number): number {
  const outputs = listingOf(op).outputs?.(attrs, inputs)
  return typeof outputs === 'number' ? outputs : (outputs?.length ?? 1)
}

/** Names of the results of an operator with these (full) attributes and so many inputs. */
export function outputNames(op: OpDef, attrs: Attrs, inputs: number): readonly string[] {
  const outputs = listingOf(op).outputs?.(attrs, inputs)
  if (outputs === undefined || outputs === 1) return ['output']
  if (typeof outputs !== 'number') return outputs
  return Array.from({ length: outputs }, (_, i) => `output${i}`)
}

/** How many results MXNet's files count for an operator. */
export function countedOutputs(op: OpDef, attrs: Attrs, inputs: number): number {
  return listingOf(op).counted?.(attrs) ?? outputCount(op, attrs, inputs)
}

/** Names of the inputs that an operator with these (full) attributes takes; with any number, `arg0`, `arg1` … */
export function inputNames(op: OpDef, attrs: Attrs, count: number): readonly string[] {
  if (isVariadic(op)) return Array.from({ length: count }, (_, i) => `arg${i}`)
  const all = op.spec.inputs.map(plain)
  const own =
    listingOf(op).inputs?.(attrs) ?? all.filter((_, i) => !op.spec.inputs[i]!.endsWith('?'))
  return count > own.length ? all.slice(0, count) : own
}

/** Whether a missing or given optional input must agree with the attributes. */
export const fixesInputs = (op: OpDef): boolean => listingOf(op).inputs !== undefined

/** The inputs that an operator keeps up to date by itself. */
export const auxNames = (op: OpDef): readonly string[] => listingOf(op).aux ?? []

/** The initializer of a variable that is made for an input, or undefined. */
export const initOf = (op: OpDef, input: string): string | undefined => listingOf(op).init?.[input]

/** Python's functions of these begin with another word than the operator: `_PlusScalar`, `contrib.div_sqrt_dim`. */
const arithmetic = /^(_r?(?:plus|minus|mul|div|mod|power|maximum|minimum|hypot))_(scalar)$/
const space = /^_(?:contrib|linalg|image)_|^_random_(?=\w+_like$)/

/** The beginning of a name made for a result: `fullyconnected`. */
export const hintOf = (op: OpDef): string =>
  listingOf(op).hint ?? op.name.replace(arithmetic, '$1$2').replace(space, '').toLowerCase()

/** An operator's inputs at the places of its record, from those that a file lists; null where one is missing. */
export function arrange<T>(op: OpDef, attrs: Attrs, given: readonly T[]): (T | null)[] {
  if (isVariadic(op)) return [...given]
  const names = inputNames(op, attrs, given.length)
  const places: (T | null)[] = []
  given.forEach((value, i) => {
    const at = op.spec.inputs.findIndex((n) => plain(n) === names[i])
    places[at < 0 ? i : at] = value
  })
  return Array.from(places, (value) => value ?? null)
}

/** Full attributes of a node's operator, defaults filled in. */
export const attrsOf = (node: SymbolNode): { readonly [name: string]: unknown } =>
  opOf(node).bind(node.values).bound.attrs

/** Names of all outputs that a node shows. */
export function namesOf(node: SymbolNode): readonly string[] {
  if (node.op === null) return [node.name]
  return outputNames(node.op, attrsOf(node), node.inputs.length).map(
    (output) => `${node.name}_${output}`,
  )
}

/** The variables that operators keep up to date by themselves. */
export function auxVariables(nodes: readonly SymbolNode[]): Set<SymbolNode> {
  const found = new Set<SymbolNode>()
  for (const node of nodes) {
    if (node.op === null) continue
    const aux = auxNames(node.op)
    if (aux.length === 0) continue
    const names = inputNames(node.op, attrsOf(node), node.inputs.length)
    node.inputs.forEach((entry, i) => {
      if (entry.node.op === null && aux.includes(names[i]!)) found.add(entry.node)
    })
  }
  return found
}
