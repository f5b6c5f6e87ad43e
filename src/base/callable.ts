/** Callable objects: instances of a class that are functions, so that `net(x)` and `init(name, array)` work. */

/** What a call of the object runs. */
export const invoke: unique symbol = Symbol('invoke')

/**
 * The base of classes whose instances are called like functions.
 *
 * The constructor returns a function that carries the prototype of the class under construction:
 * `instanceof`, fields, `#private` members and inheritance work as always, and none of a function's
 * own names (`name`, `length`, `call`, `apply`) stand in the way of the class's.
 */
export abstract class Callable {
  constructor() {
    const self = (...args: unknown[]): unknown => (self as unknown as Callable)[invoke](args)
    Reflect.deleteProperty(self, 'name')
    Reflect.deleteProperty(self, 'length')
    Object.setPrototypeOf(self, new.target.prototype as object)
    // biome-ignore lint/correctness/noConstructorReturn: the returned function is the object
    return self as unknown as this
  }

  /** Answers a call of the object. */
  abstract [invoke](args: readonly unknown[]): unknown
}
