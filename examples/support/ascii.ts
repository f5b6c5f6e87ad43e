// A grey picture as characters.

const shades = ' .:-=+*#%@'

/** Rows of characters, two rows of pixels each, because a character is twice as high as wide. */
export function picture(pixels: ArrayLike<number>, width: number): string {
  const rows: string[] = []
  const at = (row: number, column: number): number => pixels[row * width + column] ?? 0
  for (let row = 0; row < pixels.length / width; row += 2) {
    let text = ''
    for (let column = 0; column < width; column++) {
      const grey = (at(row, column) + at(row + 1, column)) / 2
      text += shades[Math.min(shades.length - 1, Math.floor(grey * shades.length))]
    }
    rows.push(text.trimEnd())
  }
  return rows.join('\n')
}
