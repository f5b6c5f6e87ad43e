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

/** A place in the output of a tslab cell; one of `newDisplay` shows what it was given last. */
interface TslabPlace {
  raw(mime: string, text: string): void
}

/** The part of tslab's interface that is used. */
interface Tslab {
  readonly display: TslabPlace
  newDisplay(): TslabPlace
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
  const tslab = kernels.__tslab__?.require('tslab')
  if (tslab !== undefined) return showAt(tslab.display, bundle)
  const deno = kernels.Deno?.jupyter
  await deno?.display(bundle, { raw: true })
  return deno !== undefined
}

function showAt(place: TslabPlace, bundle: MimeBundle): boolean {
  const mime = preference.find((type) => bundle[type] !== undefined)
  if (mime !== undefined) place.raw(mime, bundle[mime]!)
  return mime !== undefined
}

/** How a value is printed. */
export interface Printed {
  /** Its text. */
  text(): string
  /** What is left for the text where the value shows itself. */
  brief(): string
  /** What it shows; later where that takes time. */
  bundle(): MimeBundle | Promise<MimeBundle>
}

/**
 * The text of a value for `console.log`; where that is the last value of a tslab cell, the value shows itself.
 *
 * tslab prints a cell's value and knows no other protocol, so printing is where it is caught. Values inside others
 * (`depth` below the limit that the host passes) stay text. What takes time appears in its place when it is there;
 * a program that saves the cell's output as soon as the cell ends misses that, and awaits `viz.display` instead.
 */
export function inspected(
  depth: number,
  limit: number | null | undefined,
  { text, brief, bundle }: Printed,
): string {
  const tslab = kernels.__tslab__?.require('tslab')
  if (tslab === undefined || depth !== limit) return text()
  const shown = bundle()
  if (!(shown instanceof Promise)) return showAt(tslab.display, shown) ? brief() : text()
  const place = tslab.newDisplay()
  place.raw('text/plain', '…')
  shown.then(
    (later) => showAt(place, later),
    (e: unknown) => place.raw('text/plain', String(e)),
  )
  return brief()
}

/** Text inside HTML or SVG. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
