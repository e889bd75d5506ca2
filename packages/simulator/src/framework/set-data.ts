/** setData as the platform does it: values cross to the view as JSON, keys may be paths. */

/** The value after a trip through JSON; `undefined` and functions do not survive. */
export function jsonClone(value: unknown): unknown {
  const text = JSON.stringify(value)
  return text === undefined ? undefined : JSON.parse(text)
}

/** `a.b[0].c` as its steps; a backslash keeps the next character. */
export function parsePath(path: string): (string | number)[] {
  const steps: (string | number)[] = []
  let word = ''
  let started = false
  const flush = () => {
    if (started) steps.push(word)
    word = ''
    started = false
  }
  for (let at = 0; at < path.length; at++) {
    const character = path.charAt(at)
    if (character === '\\') {
      word += path.charAt(++at)
      started = true
    } else if (character === '.') flush()
    else if (character === '[') {
      flush()
      const end = path.indexOf(']', at)
      const inside = path.slice(at + 1, end)
      if (end < 0 || !/^\d+$/.test(inside)) throw new Error(`[Component] data path "${path}" is illegal`)
      steps.push(Number(inside))
      at = end
    } else {
      word += character
      started = true
    }
  }
  flush()
  return steps
}

/** What of a setData call reaches the data: a clone, without what JSON cannot say. */
export function cloneUpdates(updates: Readonly<Record<string, unknown>>, warn: (text: string) => void) {
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(updates)) {
    if (value === undefined) {
      warn(`Setting data field "${key}" to undefined is invalid.`)
      continue
    }
    const clone = jsonClone(value)
    if (clone === undefined) warn(`Setting data field "${key}" to ${typeof value} is invalid.`)
    else result[key] = clone
  }
  return result
}

type Container = Record<string | number, unknown>

const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null

/** Writes one value at a path, making objects and arrays on the way where there are none. */
export function assignPath(data: Container, steps: readonly (string | number)[], value: unknown): void {
  let at: Container = data
  steps.forEach((step, index) => {
    const next = steps[index + 1]
    if (next === undefined) {
      at[step] = value
      return
    }
    const wantsArray = typeof next === 'number'
    let child = at[step]
    if (!isContainer(child) || Array.isArray(child) !== wantsArray) {
      // Arrays are indexed like records here; the type system has no word for both.
      child = (wantsArray ? [] : {}) as Container
      at[step] = child
    }
    at = child as Container
  })
}
