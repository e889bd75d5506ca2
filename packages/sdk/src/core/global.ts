/** The global object. */

// `global` is the older name: base libraries before 2.19 have no globalThis.
declare const global: Record<string, unknown> | undefined

/** The global object by either of its names, or an empty one. */
export const globalObject: Record<string, unknown> =
  // What may be defined on it is not known to its type.
  typeof globalThis !== 'undefined'
    ? (globalThis as unknown as Record<string, unknown>)
    : typeof global !== 'undefined'
      ? global
      : {}
