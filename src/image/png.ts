/** Samples of PNG pictures, whatever their depth. */

import type { DecodedPng } from 'fast-png'

/** Samples of a row; those under 8 bits share bytes, and rows begin on whole ones. */
export function sampler(
  data: DecodedPng['data'],
  depth: number,
  perRow: number,
): (row: number, at: number) => number {
  if (depth >= 8) return (row, at) => data[row * perRow + at]!
  const rowBytes = Math.ceil((perRow * depth) / 8)
  return (row, at) => {
    const bit = at * depth
    const byte = data[row * rowBytes + (bit >> 3)]!
    return (byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1)
  }
}
