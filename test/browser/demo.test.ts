/** The demo page in headless Chromium: real clicks train it, real strokes are recognised, and it never hangs. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium, noChromium } from '../../scripts/chromium.mjs'
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
const reason = noChromium ?? ''
const title = `the demo page${reason && ` (skipped: ${reason})`}`
describe.skipIf(noChromium !== null)(title, { timeout: patience }, () => {
  let browser: Browser
  let page: Page
  let scripts: { name: string; zipped: number }[]
  let close: () => void
  const problems: string[] = []

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true })
    scripts = await buildDemo()
    const served = await serveDemo()
    close = served.close
    browser = await launchChromium()
    page = await browser.newPage({ viewport: { width: 1280, height: 1100 } })
    page.setDefaultTimeout(patience)
    page.on('pageerror', (e) => problems.push(e.message))
    await page.addInitScript(() => {
      const long: number[] = []
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) long.push(duration)
      }).observe({ type: 'longtask', buffered: true })
      Object.assign(globalThis, { longTasks: long })
    })
    await page.goto(served.url)
  }, patience)
  afterAll(async () => {
    await browser?.close()
    close?.()
  })

  async function draw(strokes: readonly Point[][]): Promise<string> {
    await page.click('#clear')
    await page.waitForFunction(() => document.querySelector('#verdict')!.textContent === '?')
    const box = (await page.locator('#sheet').boundingBox())!
    for (const [first, ...rest] of strokes) {
      await page.mouse.move(box.x + first![0], box.y + first![1])
      await page.mouse.down()
      for (const [x, y] of rest) await page.mouse.move(box.x + x, box.y + y, { steps: 2 })
      await page.mouse.up()
    }
    await page.waitForFunction(() => document.querySelector('#verdict')!.textContent !== '?')
    return (await page.textContent('#verdict'))!
  }

  it('loads under 300 kB of our code', () => {
    // Graphviz and resvg are others' and load on demand.
    const ours = scripts.filter(({ name }) => !/viz|resvg/.test(name))
    expect(ours.length).toBeGreaterThanOrEqual(2)
    expect(ours.reduce((sum, { zipped }) => sum + zipped, 0)).toBeLessThan(300_000)
  })

  it('shows the network', async () => {
    await page.waitForFunction(() => !document.querySelector<HTMLButtonElement>('#train')!.disabled)
    expect(await page.textContent('#network')).toContain('Dense(')
    expect(await page.textContent('#picture svg')).toContain('FullyConnected')
  })

  it('stops and starts training', async () => {
    await page.click('#train')
    await page.waitForFunction(() => document.querySelector('#loss svg') !== null)
    expect(await page.textContent('#train')).toBe('Stop')
    await page.click('#train')
    await page.waitForFunction(() => document.querySelector('#train')!.textContent === 'Train')
  })

  it('learns 97 % of the held-out digits, while the page answers', {
    timeout: 240_000,
  }, async () => {
    await page.evaluate(() => {
      const { longTasks } = globalThis as unknown as { longTasks: number[] }
      longTasks.length = 0
    })
    const start = performance.now()
    await page.click('#train')
    await page.waitForFunction(() => document.querySelector('#train')!.textContent === 'Stop')
    expect(await draw(digits[7]!)).toMatch(/^\d$/)
    await page.waitForFunction(
      () => document.querySelector('#train')!.textContent === 'Train',
      null,
      { timeout: patience },
    )
    const accuracy = await page.getAttribute('#result', 'data-accuracy')
    expect(Number(accuracy)).toBeGreaterThanOrEqual(0.97)
    expect(await page.locator('.curve svg').count()).toBe(2)
    const busy = await page.evaluate(() =>
      (globalThis as unknown as { longTasks: number[] }).longTasks.reduce((a, b) => a + b, 0),
    )
    // Training in the page would fill all of the time with long tasks, on any machine.
    expect(busy).toBeLessThan(0.5 * (performance.now() - start))
  })

  it.each(Object.keys(digits))('recognises a %s that is drawn', async (digit) => {
    expect(await draw(digits[Number(digit)]!)).toBe(digit)
    await page.screenshot({ path: join(folder, `demo-${digit}.png`) })
  })

  it('says nothing went wrong', async () => {
    expect(problems).toEqual([])
    expect(await page.getAttribute('#status', 'class')).toBe(null)
  })
})
