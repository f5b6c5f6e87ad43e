/** Headless Chromium for tests, driven by Playwright; nothing is downloaded. */

import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = places.find((place) => existsSync(place))

/** Why pages cannot be tested here, or null. */
export const noChromium =
  executablePath === undefined ? 'Chromium is not installed (npm run setup -- --testing)' : null

/** Starts Chromium; `flags` go to it besides what makes it quiet. */
export function launch(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: executablePath!,
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
