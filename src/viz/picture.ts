/** A picture in Graphviz's language, drawn by Graphviz compiled to WebAssembly. */

import { fail, MXNetError } from '../base/error.ts'
import {
  type InspectOptions,
  inspected,
  jupyterDisplay,
  type MimeBundle,
} from '../base/notebook.ts'
import { nodeModule, writeWhole } from '../ndarray/nodeFiles.ts'

/** Formats that pictures are written in. */
export type PictureFormat = 'svg' | 'png' | 'dot'

/** Bounds of a PNG in pixels: larger drawings are scaled down to them. */
const pngLimit = { side: 32_000, area: 50e6 }

/** A package that draws, or an error that says how to get it. */
async function drawing<M>(name: string, load: () => Promise<M>): Promise<M> {
  try {
    return await load()
  } catch (e) {
    throw new MXNetError('viz', `the package ${name} is needed for this: npm install ${name}`, {
      cause: e,
    })
  }
}

/** A picture of a network. */
export class NetworkPicture {
  readonly title: string
  /** The picture in Graphviz's language (DOT). */
  readonly source: string
  readonly #format: PictureFormat
  #svg: Promise<string> | null = null

  constructor(title: string, source: string, format: PictureFormat) {
    this.title = title
    this.source = source
    this.#format = format
  }

  /** The drawing as SVG text. */
  svg(): Promise<string> {
    this.#svg ??= draw(this.source)
    return this.#svg
  }

  /**
   * The drawing as the bytes of a PNG file, on white; `scale` pixels for a point of 1/96 inch.
   * @throws MXNetError outside Node, where the font and the program are not found by themselves.
   */
  async png({ scale = 2 }: { readonly scale?: number } = {}): Promise<Uint8Array> {
    return rasterize(await this.svg(), scale)
  }

  /**
   * Writes the picture to `net.svg`, `net.png` or `net.dot`, by the ending; without one, in the format of `saveFormat`.
   * @throws MXNetError for another ending, or when the file cannot be written.
   */
  async save(file: string): Promise<string> {
    const ending = /\.([a-z0-9]+)$/i.exec(file)?.[1]?.toLowerCase()
    const format = ending ?? this.#format
    const place = ending === undefined ? `${file}.${format}` : file
    const text = new TextEncoder()
    if (format === 'dot' || format === 'gv')
      await writeWhole('save', place, text.encode(this.source))
    else if (format === 'svg') await writeWhole('save', place, text.encode(await this.svg()))
    else if (format === 'png') await writeWhole('save', place, await this.png())
    else fail('save', `pictures are not written as .${ending}: use .svg, .png or .dot`)
    return place
  }

  /** What a notebook shows. */
  async [jupyterDisplay](): Promise<MimeBundle> {
    return pictureBundle(await this.svg(), this.toString())
  }

  [Symbol.for('nodejs.util.inspect.custom')](depth: number, options?: InspectOptions): string {
    return inspected(depth, options?.depth, {
      text: () => this.toString(),
      brief: () => `<NetworkPicture ${this.title}>`,
      bundle: () => this[jupyterDisplay](),
    })
  }

  /** The DOT text. */
  toString(): string {
    return this.source
  }
}

async function draw(source: string): Promise<string> {
  const { instance } = await drawing('@viz-js/viz', () => import('@viz-js/viz'))
  const viz = await instance()
  const result = viz.render(source, { format: 'svg', engine: 'dot' })
  if (result.status !== 'success') {
    const reasons = result.errors.map((e) => e.message).join('; ')
    return fail('viz', `Graphviz cannot draw this: ${reasons}`)
  }
  // Boxes are sized for Helvetica: drawn a little smaller, text fits where another font stands in for it.
  const fitted = result.output
    .replaceAll('font-size="14.00"', 'font-size="12.50"')
    .replaceAll('font-size="12.00"', 'font-size="11.00"')
  // Graphviz sets labels of edges close to the line: a little room makes them easier to read.
  return fitted.replace(/<g id="[^"]*" class="edge">[\s\S]*?<\/g>/g, (edge) =>
    edge.replaceAll('<text ', '<text dx="6" '),
  )
}

type Rasterizer = (svg: string, zoom: number) => Uint8Array
let rasterizer: Promise<Rasterizer> | null = null

/** SVG to PNG by resvg as WebAssembly, with a font that comes along: nothing of the machine is asked for. */
async function makeRasterizer(): Promise<Rasterizer> {
  const { createRequire } = nodeModule('png', 'node:module', 'PNG is made in Node; use svg() here')
  const fs = nodeModule('png', 'node:fs/promises')
  const require = createRequire(import.meta.url)
  const { initWasm, Resvg } = await drawing('@resvg/resvg-wasm', () => import('@resvg/resvg-wasm'))
  const bytes = await fs.readFile(require.resolve('@resvg/resvg-wasm/index_bg.wasm'))
  const font = await drawing('@expo-google-fonts/arimo', () =>
    fs.readFile(require.resolve('@expo-google-fonts/arimo/400Regular/Arimo_400Regular.ttf')),
  )
  await initWasm(bytes)
  const fontOptions = {
    fontBuffers: [new Uint8Array(font)],
    defaultFontFamily: 'Arimo',
    sansSerifFamily: 'Arimo',
  }
  return (svg, zoom) => {
    const make = (value: number): InstanceType<typeof Resvg> =>
      new Resvg(svg, { font: fontOptions, background: 'white', fitTo: { mode: 'zoom', value } })
    const { width, height } = make(1)
    const fits = Math.min(
      pngLimit.side / Math.max(width, height),
      Math.sqrt(pngLimit.area / (width * height)),
    )
    return make(Math.min(zoom, fits)).render().asPng()
  }
}

async function rasterize(svg: string, scale: number): Promise<Uint8Array> {
  rasterizer ??= makeRasterizer()
  return (await rasterizer)(svg, scale)
}

/**
 * What a notebook shows of a drawing: SVG, and where it can be made PNG, which notebooks that nobody has declared
 * trusted show as well.
 */
export async function pictureBundle(svg: string, text: string): Promise<MimeBundle> {
  // A notebook puts the element into its own page, where a declaration of an encoding is refused.
  const bundle = { 'image/svg+xml': svg.slice(svg.indexOf('<svg')), 'text/plain': text }
  try {
    const png = await rasterize(svg, 1)
    return { ...bundle, 'image/png': btoa(String.fromCharCode(...png)) }
  } catch (e) {
    if (e instanceof MXNetError) return bundle
    throw e
  }
}
