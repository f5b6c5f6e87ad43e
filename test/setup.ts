/** Runs before each test file: properties are tried on the same cases every time, unless FC_SEED says otherwise. */

import fc from 'fast-check'

const seed = process.env.FC_SEED
fc.configureGlobal({ seed: seed === undefined ? 20_261_123 : Number(seed) })
