/** How a dotted path reaches into a document, through arrays on the way; the same as `bson.reach` in the database. Pure. */
import { fieldOf, isArray, isDoc, type Value } from './value.ts'

/** Array positions in a path: `0`, `17`; never `01`. */
export const isIndex = (step: string): boolean => /^(0|[1-9][0-9]{0,8})$/.test(step)

/**
 * Everything that the path leads to; undefined for a place where it ends in nothing. In an array on the way, every document is entered, and
 * the element that a numeric step names. With `expand`, an array at the end gives its elements and itself.
 */
export const reach = (
  value: Value | undefined,
  path: readonly string[],
  expand: boolean,
): readonly (Value | undefined)[] => {
  const [step, ...rest] = path
  if (step === undefined) return expand && isArray(value) ? [...value, value] : [value]
  if (isDoc(value)) return reach(fieldOf(value, step), rest, expand)
  if (!isArray(value)) return [undefined]
  const found = value.flatMap((each) => (isDoc(each) ? reach(each, path, expand) : []))
  return isIndex(step) ? [...found, ...reachElement(value[Number(step)], rest, expand)] : found
}

const reachElement = (
  element: Value | undefined,
  rest: readonly string[],
  expand: boolean,
): readonly (Value | undefined)[] => {
  if (element === undefined) return []
  // The element that was named is meant as a whole, even if it is an array.
  if (rest.length === 0) return [element]
  return isDoc(element) || isArray(element) ? reach(element, rest, expand) : []
}
