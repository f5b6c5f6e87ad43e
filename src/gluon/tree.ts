/** Networks in notebooks: a tree of blocks that folds, with the number of parameters of each. */

import { escapeHtml, type MimeBundle } from '../base/notebook.ts'
import { sizeOf } from '../base/shape.ts'
import type { Block } from './block.ts'

/** Deeper blocks are folded at first. */
const openDepth = 2

/** The bundle of a network. */
export function blockBundle(block: Block): MimeBundle {
  return { 'text/html': `<div>${node(block, '', 0)}</div>`, 'text/plain': String(block) }
}

function node(block: Block, name: string, depth: number): string {
  const label = name === '' ? '' : `(${escapeHtml(name)}) `
  const size = `<small>${parametersOf(block)}</small>`
  const text = String(block)
  // A layer that prints in one line is one line here as well, whatever it is made of.
  if (!text.includes('\n')) return `<div>${label}<code>${escapeHtml(text)}</code> ${size}</div>`
  const inner = [...block.children].map(([key, child]) => node(child, key, depth + 1))
  const open = depth < openDepth ? ' open' : ''
  const title = `${label}<b>${escapeHtml(block.constructor.name)}</b> ${size}`
  return `<details${open}><summary>${title}</summary><div style="margin-left:1.5em">${inner.join('')}</div></details>`
}

/** How many numbers a block learns, in words; unknown before shapes are. */
function parametersOf(block: Block): string {
  const shapes = [...block.collectParams().values()].map((p) => p.shape)
  if (shapes.length === 0) return ''
  if (shapes.some((shape) => shape === null || shape.includes(0)))
    return 'parameters of unknown shape'
  const count = shapes.reduce((sum, shape) => sum + sizeOf(shape!), 0)
  return `${count.toLocaleString('en')} parameters`
}
