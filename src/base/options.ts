/** Options objects: an unknown name is an error that says what was probably meant. */

import { fail } from './error.ts'

const camelCase = (name: string): string =>
  name.replace(/_+([a-z0-9])/g, (_, c: string) => c.toUpperCase())

/** The options, once every name in them is one of `names`. */
export function checkOptions<O extends object>(
  where: string,
  options: O,
  names: readonly string[],
): O {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const known = names.map((n) => `${n}: …`).join(', ')
    fail(where, `options are ${String(options)}: they must be an object such as { ${known} }`)
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue
    const meant = camelCase(name)
    const advice = names.includes(meant) ? `write ${meant}` : `use ${names.join(', ')}`
    fail(where, `unknown option ${name}: ${advice}`)
  }
  return options
}

/** Options whose argument `name` came first by itself; an object in its place is the options already. */
export function withFirst<O extends object>(name: keyof O, first: unknown, options: object): O {
  const isOptions = typeof first === 'object' && first !== null && !Array.isArray(first)
  return (isOptions ? first : { ...options, [name]: first }) as O
}
