// @ts-check
// Headless Chromium, driven by Playwright; nothing is downloaded.
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = places.find((place) => existsSync(place))

/** Why pages cannot be opened here, or null. */
export const noChromium =
  executablePath === undefined ? 'Chromium is not installed (npm run setup -- --testing)' : null

/** Flags with which pages have a GPU wherever they run: SwiftShader, a processor that plays one. */
export const withSwiftShader = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader']

/**
 * Starts Chromium.
 * @param {readonly string[]} [flags]  go to it besides what makes it quiet
 * @returns {Promise<import('playwright-core').Browser>}
 */
export function launchChromium(flags = []) {
  return chromium.launch({
    ...(executablePath !== undefined && { executablePath }),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...flags,
    ],
  })
}
