/** Notebooks: what a value shows in Jupyter, and how it gets there under the kernels that run TypeScript. */

/** What a value shows, as texts by MIME type: `text/html`, `image/svg+xml`, `image/png` in base64, `text/plain`. */
export type MimeBundle = { readonly [mime: string]: string }

/** The method that Deno's kernel asks a value for; a GPU's array needs time for it. */
export const jupyterDisplay: unique symbol = Symbol.for('Jupyter.display')

/** A value that shows itself in notebooks. */
export interface Displayable {
  [jupyterDisplay](): MimeBundle | Promise<MimeBundle>
}

/** The part of Node's options of `inspect` that is used: how deep it goes. */
export interface InspectOptions {
  readonly depth?: number | null
}

/** The part of tslab's interface that is used: one text of one type. */
interface Tslab {
  readonly display: { raw(mime: string, text: string): void }
}

interface Kernels {
  readonly __tslab__?: { require(name: 'tslab'): Tslab }
  readonly Deno?: {
    readonly jupyter?: { display(bundle: MimeBundle, options: { raw: true }): Promise<void> }
  }
}
const kernels = globalThis as Kernels

/** The type that is sent where only one can be; SVG after PNG, as notebooks show it only to who trusts them. */
const preference = ['image/png', 'image/svg+xml', 'text/html', 'text/plain'] as const

/** Sends a bundle to the notebook that runs the program, if one does. */
export async function showBundle(bundle: MimeBundle): Promise<boolean> {
  if (showInTslab(bundle)) return true
  const deno = kernels.Deno?.jupyter
  await deno?.display(bundle, { raw: true })
  return deno !== undefined
}

function showInTslab(bundle: MimeBundle): boolean {
  const tslab = kernels.__tslab__?.require('tslab')
  const mime = preference.find((type) => bundle[type] !== undefined)
  if (tslab === undefined || mime === undefined) return false
  tslab.display.raw(mime, bundle[mime]!)
  return true
}

/**
 * The text of a value for `console.log`; where that is the last value of a tslab cell, the value shows itself
 * and `brief` is left for the text.
 *
 * tslab prints a cell's value and knows no other protocol, so printing is where it is caught. Values inside others
 * (`depth` below the limit that the host passes) stay text.
 */
export function inspected(
  depth: number,
  limit: number | null | undefined,
  { text, brief, bundle }: { text(): string; brief(): string; bundle(): MimeBundle | null },
): string {
  if (kernels.__tslab__ === undefined || depth !== limit) return text()
  const shown = bundle()
  return shown !== null && showInTslab(shown) ? brief() : text()
}

/** Text inside HTML or SVG. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
