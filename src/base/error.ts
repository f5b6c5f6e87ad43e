/** The one error type of the library; every message opens with the operator, class or file in brackets. */

/**
 * The error thrown for every misuse or failure that the library detects.
 *
 * The message starts with the operator, class or file in brackets, says what was given and what
 * would be right: `[dot] lhs (2, 3) and rhs (4, 5): inner sizes 3 and 4 differ`.
 *
 * @example
 * new MXNetError('dot', 'inner sizes 3 and 4 differ').message // => '[dot] inner sizes 3 and 4 differ'
 * @see MXNet `python/mxnet/base.py` (MXNetError)
 */
export class MXNetError extends Error {
  override name = 'MXNetError'
  /** What raised the error: an operator, class or file. */
  readonly where: string

  constructor(where: string, message: string, options?: ErrorOptions) {
    super(`[${where}] ${message}`, options)
    this.where = where
  }
}

/** Thrown when a parameter is used before its shape is known; Blocks answer it by inferring the shape. */
export class DeferredInitializationError extends MXNetError {
  override name = 'DeferredInitializationError'
}

/** Throws an `MXNetError` naming `where`; written as an expression. */
export function fail(where: string, message: string): never {
  throw new MXNetError(where, message)
}
