/** Names of classes, for code that looks at them. */

/**
 * Minified classes have other names, and libraries do look: pocketbase tells a form by `constructor.name`, others by
 * `Object.prototype.toString`.
 */
export function named<All extends object>(all: All): All {
  for (const name of Object.keys(all)) {
    const made: unknown = Reflect.get(all, name)
    // Of a module's exports the classes alone.
    if (typeof made !== 'function' || !/^[A-Z]/.test(name)) continue
    Object.defineProperty(made, 'name', { value: name, configurable: true })
    Object.defineProperty(made.prototype, Symbol.toStringTag, { value: name, configurable: true })
  }
  return all
}
