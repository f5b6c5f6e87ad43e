/** Devices for checks inside a page: what the browser's composition root registers. */

import '../../src/browser.ts'
import '../../src/ops/update.ts'
import { Context } from '../../src/base/context.ts'
import { frame } from '../../src/core/frame.ts'

export const reference = new Context('reference', 0)
frame.context = reference
export const page = new Context('cpu', 0)
