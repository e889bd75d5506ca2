/** structuredClone for plain data: objects, arrays, Map, Set, Date, RegExp, buffers and views, cycles included. Not errors, not transfers. */
import { isBuffer } from './bytes.ts'
import { DOMException } from './errors.ts'

/** A deep copy. Functions, symbols and objects of classes are refused. */
export function structuredClone<Value>(value: Value): Value {
  // A copy has the type of what was copied.
  return copy(value, new Map()) as Value
}

function copy(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === 'function' || typeof value === 'symbol')
    throw new DOMException(`${String(value)} could not be cloned`, 'DataCloneError')
  if (typeof value !== 'object' || value === null) return value
  const known = seen.get(value)
  if (known !== undefined) return known
  const keep = <Made extends object>(made: Made): Made => {
    seen.set(value, made)
    return made
  }
  if (value instanceof Date) return keep(new Date(value.getTime()))
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags))
  if (isBuffer(value)) return keep(value.slice(0))
  if (ArrayBuffer.isView(value)) {
    // The constructors of all views but DataView take buffer, place and length.
    const View = value.constructor as new (buffer: unknown, at: number, length?: number) => object
    const length = Reflect.get(value, 'length')
    return keep(
      new View(copy(value.buffer, seen), value.byteOffset, typeof length === 'number' ? length : value.byteLength),
    )
  }
  if (value instanceof Map) {
    const made = keep(new Map())
    value.forEach((item, key) => void made.set(copy(key, seen), copy(item, seen)))
    return made
  }
  if (value instanceof Set) {
    const made = keep(new Set())
    value.forEach((item) => void made.add(copy(item, seen)))
    return made
  }
  const made: Record<string, unknown> = keep(Array.isArray(value) ? Object.assign([], { length: value.length }) : {})
  for (const key of Object.keys(value)) made[key] = copy(Reflect.get(value, key), seen)
  return made
}
