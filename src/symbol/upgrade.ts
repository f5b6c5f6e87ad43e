/** Files of older versions of MXNet brought to the form of the present one. */

import type { OpDef } from '../core/op.ts'
import { operatorOf } from './flow.ts'
import { auxNames, initOf, inputNames, isVariadic } from './listing.ts'
import { hiddenKeys } from './names.ts'
import { parseAttrs } from './wire.ts'

/** A node as a file has it; `inputs` are [node, output, version]. */
export interface FileNode {
  /** Its number in the file; -1 for one that was added. */
  readonly id: number
  readonly op: string
  readonly name: string
  readonly attrs: Map<string, string>
  readonly inputs: readonly (readonly [number, number, number])[]
}

const annotation = new RegExp(`^(?:(\\w+)_)?(${hiddenKeys.join('|')})$`)

/** Brings the nodes of a file of `version` (major·10000 + minor·100 + patch) up to date. */
export function upgrade(where: string, nodes: readonly FileNode[], version: number): FileNode[] {
  for (const node of nodes) hideAnnotations(where, node, nodes)
  if (version >= 905) return [...nodes]
  for (const node of nodes) {
    // -1 meant all axes then.
    if (/^arg(max|min)$/.test(node.op) && node.attrs.get('axis') === '-1') node.attrs.delete('axis')
  }
  return addMissing(where, nodes)
}

/** `lr_mult` becomes `__lr_mult__`; `weight_lr_mult` goes to the variable that is the operator's weight. */
function hideAnnotations(where: string, node: FileNode, nodes: readonly FileNode[]): void {
  for (const [key, text] of [...node.attrs]) {
    const match = annotation.exec(key)
    if (match === null) continue
    const [, input, name] = match
    if (input === undefined) {
      node.attrs.delete(key)
      node.attrs.set(`__${name}__`, text)
      continue
    }
    const op = operatorOf(node.op)
    if (node.op !== 'null' && op === undefined) continue
    node.attrs.delete(key)
    if (op === undefined) continue
    const at = namesIn(where, op, node).indexOf(input)
    const variable = at < 0 ? undefined : nodes[node.inputs[at]?.[0] ?? -1]
    if (variable?.op === 'null') variable.attrs.set(`__${name}__`, text)
  }
}

const namesIn = (where: string, op: OpDef, { attrs, inputs }: FileNode): readonly string[] => {
  const plain = new Map([...attrs].filter(([key]) => annotation.exec(key) === null))
  return inputNames(op, op.bind(parseAttrs(where, op, plain)).bound.attrs, inputs.length)
}

/** Variables for inputs that old files leave out, such as the running means of BatchNorm. */
function addMissing(where: string, nodes: readonly FileNode[]): FileNode[] {
  const result: FileNode[] = []
  const place = new Map<number, number>()
  for (const node of nodes) {
    const inputs = node.inputs.map(([id, index, reads]) => [place.get(id)!, index, reads] as const)
    const op = operatorOf(node.op)
    if (op !== undefined && !isVariadic(op)) {
      const names = namesIn(where, op, node)
      names.forEach((name, i) => {
        const variable = inputs[i] === undefined ? undefined : result[inputs[i]![0]]
        if (variable?.op === 'null') setInit(op, name, variable.attrs)
      })
      for (const name of names.slice(inputs.length)) {
        if (!auxNames(op).includes(name)) break
        const attrs = new Map([...node.attrs].filter(([key]) => key.startsWith('__')))
        setInit(op, name, attrs)
        inputs.push([result.length, 0, 0])
        result.push({ id: -1, op: 'null', name: `${node.name}_${name}`, attrs, inputs: [] })
      }
    }
    place.set(node.id, result.length)
    result.push({ ...node, inputs })
  }
  return result
}

function setInit(op: OpDef, input: string, attrs: Map<string, string>): void {
  const init = initOf(op, input)
  if (init !== undefined && !attrs.has('__init__')) attrs.set('__init__', init)
}
