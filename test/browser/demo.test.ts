/** The demo page in headless Chromium: real clicks train it on the CPU and on a GPU, real strokes are recognised, and it never hangs. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium, noChromium, withSwiftShader } from '../../scripts/chromium.mjs'
import { buildDemo, serveDemo } from '../../scripts/demo.mjs'
import { root } from '../../scripts/process.mjs'

type Point = readonly [x: number, y: number]

/** An arc as points: centre, radii, and angles in turns. */
const arc = (cx: number, cy: number, rx: number, ry: number, from: number, to: number): Point[] =>
  Array.from({ length: 17 }, (_, i) => {
    const angle = 2 * Math.PI * (from + ((to - from) * i) / 16)
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)]
  })

/** Digits as a hand would draw them on a sheet of 280 × 280. */
const digits: Record<number, readonly Point[][]> = {
  0: [arc(140, 140, 60, 90, 0.75, -0.27)],
  1: [
    [
      [150, 50],
      [140, 140],
      [130, 230],
    ],
  ],
  2: [[...arc(140, 100, 55, 50, -0.5, 0.1), [90, 220], [200, 220]]],
  3: [[...arc(130, 95, 55, 45, -0.45, 0.25), ...arc(130, 185, 60, 48, -0.25, 0.42)]],
  7: [
    [
      [70, 70],
      [200, 70],
      [120, 240],
    ],
  ],
}

/** Milliseconds for anything: other programs may have the machine meanwhile. */
const patience = 200_000
const folder = join(root, 'build', 'reports')

/** An open demo page, and what went wrong on it. */
class Demo {
  readonly page: Page
  readonly problems: string[] = []
  /** Names of the scripts that the page and its workers have loaded. */
  readonly loaded = new Set<string>()

  private constructor(page: Page) {
    this.page = page
    page.setDefaultTimeout(patience)
    page.on('pageerror', (e) => this.problems.push(e.message))
    page.on('response', (r) => this.loaded.add(new URL(r.url()).pathname.replace('/assets/', '')))
  }

  static async open(browser: Browser, url: string, height = 1100): Promise<Demo> {
    const demo = new Demo(await browser.newPage({ viewport: { width: 1280, height } }))
    await demo.page.addInitScript(() => {
      const long: number[] = []
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) long.push(duration)
      }).observe({ type: 'longtask', buffered: true })
      Object.assign(globalThis, { longTasks: long })
    })
    await demo.page.goto(url)
    await demo.page.waitForFunction(
      () => !document.querySelector<HTMLButtonElement>('#train')!.disabled,
    )
    return demo
  }

  /** Waits until the button says what pressing it would do. */
  async button(text: 'Train' | 'Stop'): Promise<void> {
    await this.page.waitForFunction(
      (text) => document.querySelector('#train')!.textContent === text,
      text,
    )
  }

  async draw(strokes: readonly Point[][]): Promise<string> {
    const { page } = this
    await page.click('#clear')
    await page.waitForFunction(() => document.querySelector('#verdict')!.textContent === '?')
    await page.locator('#sheet').scrollIntoViewIfNeeded()
    const box = (await page.locator('#sheet').boundingBox())!
    const at = ([x, y]: Point): Point => [
      box.x + (x * box.width) / 280,
      box.y + (y * box.height) / 280,
    ]
    for (const [first, ...rest] of strokes) {
      await page.mouse.move(...at(first!))
      await page.mouse.down()
      for (const point of rest) await page.mouse.move(...at(point), { steps: 2 })
      await page.mouse.up()
    }
    await page.waitForFunction(() => document.querySelector('#verdict')!.textContent !== '?')
    return (await page.textContent('#verdict'))!
  }

  shot(name: string): Promise<Buffer> {
    return this.page.screenshot({ path: join(folder, `demo-${name}.png`), fullPage: true })
  }

  accuracy(): Promise<number> {
    return this.page.getAttribute('#result', 'data-accuracy').then(Number)
  }

  async nothingWentWrong(): Promise<void> {
    expect(this.problems).toEqual([])
    expect(await this.page.getAttribute('#status', 'class')).not.toBe('error')
  }
}

const reason = noChromium ?? ''
const title = `the demo page${reason && ` (skipped: ${reason})`}`
describe.skipIf(noChromium !== null)(title, { timeout: patience }, () => {
  let scripts: { name: string; zipped: number }[]
  const closers: (() => unknown)[] = []

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true })
    scripts = await buildDemo()
  }, patience)
  afterAll(async () => {
    for (const close of closers) await close()
  })

  async function start(
    flags: readonly string[] = [],
    options: { isolated?: boolean; height?: number } = {},
  ): Promise<Demo> {
    const { url, close } = await serveDemo(options)
    const browser = await launchChromium(flags)
    closers.push(() => browser.close(), close)
    return Demo.open(browser, url, options.height)
  }

  it('runs on one thread where it is not cross-origin isolated, and says so', async () => {
    const demo = await start([], { isolated: false })
    expect(await demo.page.textContent('#about-cpu')).toContain('not cross-origin isolated')
    await demo.page.click('#train')
    await demo.page.waitForFunction(() => document.querySelector('#loss svg') !== null)
    await demo.nothingWentWrong()
    await demo.page.close()
  })

  it('fits a telephone', async () => {
    const demo = await start()
    await demo.page.setViewportSize({ width: 390, height: 844 })
    expect(await demo.draw(digits[1]!)).toMatch(/^\d$/)
    const wide = await demo.page.evaluate(() => document.documentElement.scrollWidth)
    expect(wide).toBeLessThanOrEqual(390)
    await demo.shot('phone')
    await demo.nothingWentWrong()
    await demo.page.close()
  })

  describe('on the CPU', () => {
    let demo: Demo
    beforeAll(async () => {
      demo = await start()
    }, patience)

    it('shows the network, and why there is no GPU', async () => {
      const { page } = demo
      expect(await page.textContent('#network')).toContain('Dense(')
      expect(await page.textContent('#picture svg')).toContain('FullyConnected')
      expect(await page.isDisabled('input[value=gpu]')).toBe(true)
      expect(await page.textContent('#about-gpu')).toMatch(/^not here: WebGPU finds no/)
    })

    it('has loaded under 300 kB of our code', () => {
      // Graphviz is not ours, and arrives when the page is there already.
      const ours = scripts.filter(({ name }) => demo.loaded.has(name) && !name.includes('viz'))
      expect(ours.map(({ name }) => name).join()).toMatch(/index.*trainer/)
      expect(ours.reduce((sum, { zipped }) => sum + zipped, 0)).toBeLessThan(300_000)
    })

    it('stops and starts training', async () => {
      const { page } = demo
      await page.click('#train')
      await page.waitForFunction(() => document.querySelector('#loss svg') !== null)
      await demo.button('Stop')
      expect(await page.isDisabled('input[value=cpu]')).toBe(true)
      await page.click('#train')
      await demo.button('Train')
      expect(await page.textContent('#status')).toMatch(/^Stopped after [\d.]+ s on the CPU/)
      expect(await page.isDisabled('input[value=cpu]')).toBe(false)
    })

    it('learns 97 % of the held-out digits, while the page answers', {
      timeout: 240_000,
    }, async () => {
      const { page } = demo
      await page.evaluate(() => {
        const { longTasks } = globalThis as unknown as { longTasks: number[] }
        longTasks.length = 0
      })
      const begin = performance.now()
      await page.click('#train')
      await demo.button('Stop')
      expect(await demo.draw(digits[7]!)).toMatch(/^\d$/)
      await demo.button('Train')
      expect(await page.textContent('#status')).toMatch(/^Trained in/)
      expect(await demo.accuracy()).toBeGreaterThanOrEqual(0.97)
      // What was drawn before it had learned is read anew.
      expect(await page.textContent('#verdict')).toBe('7')
      expect(await page.locator('.curve svg').count()).toBe(2)
      const busy = await page.evaluate(() =>
        (globalThis as unknown as { longTasks: number[] }).longTasks.reduce((a, b) => a + b, 0),
      )
      // Training in the page would fill all of the time with long tasks, on any machine.
      expect(busy).toBeLessThan(0.5 * (performance.now() - begin))
    })

    it.each(Object.keys(digits))('recognises a %s that is drawn', async (digit) => {
      expect(await demo.draw(digits[Number(digit)]!)).toBe(digit)
      await demo.shot(digit)
    })

    it('says nothing went wrong', () => demo.nothingWentWrong())
  })

  describe('on a GPU', () => {
    let demo: Demo
    beforeAll(async () => {
      demo = await start(withSwiftShader)
    }, patience)

    it('trains and recognises there, when the visitor wishes', { timeout: 240_000 }, async () => {
      const { page } = demo
      expect(await page.textContent('#about-gpu')).toMatch(/^WebGPU, \w+/)
      await page.check('input[value=gpu]')
      await page.click('#train')
      await demo.button('Stop')
      expect(await demo.draw(digits[1]!)).toMatch(/^\d$/)
      // A processor plays the GPU: a few thousand digits have to do.
      const enough = 12_000 / (4 * 60_000)
      await page.waitForFunction(
        (enough) => document.querySelector<HTMLProgressElement>('#progress')!.value >= enough,
        enough,
      )
      expect(await page.textContent('#status')).toContain('on the GPU')
      await page.click('#train')
      await demo.button('Train')
      expect(await demo.accuracy()).toBeGreaterThan(0.85)
      expect(await demo.draw(digits[1]!)).toBe('1')
      await demo.shot('gpu')
    })

    it('goes back to the CPU', async () => {
      const { page } = demo
      await page.check('input[value=cpu]')
      await page.click('#train')
      await page.waitForFunction(() => /on the CPU/.test(document.body.textContent!))
      await page.click('#train')
      await demo.button('Train')
      expect(await demo.draw(digits[0]!)).toMatch(/^\d$/)
      await demo.nothingWentWrong()
    })
  })
})
