/** What checks are written with: no test framework runs inside a mini-program. */

/** A text that is equal for equal values. */
const show = (value) =>
  JSON.stringify(value, (_, one) => {
    if (one === undefined) return '<undefined>'
    if (ArrayBuffer.isView(one)) return Array.from(one)
    return typeof one === 'number' && !Number.isFinite(one) ? String(one) : one
  })

const fail = (message) => {
  throw new Error(message)
}

const equal = (actual, expected, what = '') => {
  if (show(actual) !== show(expected)) fail(`${what} expected ${show(expected)}, got ${show(actual)}`)
}

const ok = (value, what = 'it') => {
  if (!value) fail(`${what} should be true`)
}

const nameOf = (error) => error?.name ?? String(error)

/** The run throws an error of this name. */
const throws = (name, run) => {
  let thrown = null
  try {
    run()
  } catch (error) {
    thrown = error
  }
  if (thrown === null) fail(`expected ${name}, nothing was thrown`)
  equal(nameOf(thrown), name)
  return thrown
}

/** The promise is rejected with an error of this name. */
const rejects = (name, promise) =>
  promise.then(
    () => fail(`expected ${name}, it was fulfilled`),
    (error) => {
      equal(nameOf(error), name, error?.message)
      return error
    },
  )

/** The next event of a type. */
const next = (target, type) => new Promise((resolve) => target.addEventListener(type, resolve, { once: true }))

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

module.exports = { equal, ok, throws, rejects, next, delay }
