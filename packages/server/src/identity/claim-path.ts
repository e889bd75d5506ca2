/** Where a claim is found in a token: a path such as `.role`, `."https://app/roles"[0]` or `.roles[?(@ == "editor")]`. Pure. */
import { isObject, type Json } from '../kernel/json.ts'

type Comparison = '==' | '!=' | '^==' | '==^' | '*=='

type Step =
  | { readonly kind: 'key'; readonly name: string }
  | { readonly kind: 'index'; readonly at: number }
  /** The first text of an array that fits. */
  | { readonly kind: 'first'; readonly by: Comparison; readonly text: string }

/** Steps from the claims to a value. */
export type ClaimPath = readonly Step[]

const MAX_LENGTH = 1_000
const KEY = /\.(?:([\p{L}\p{N}_$@-]+)|"([^"]*)")/uy
const INDEX = /\[(\d{1,9})\]/y
const FILTER = /\[\?\(@ *(==\^|\^==|\*==|==|!=) *"([^"]*)"\)\]/y

/** Null for text that is no path. */
export const parseClaimPath = (text: string): ClaimPath | null => {
  if (text === '' || text.length > MAX_LENGTH) return null
  const steps: Step[] = []
  let at = 0
  while (at < text.length) {
    const found = stepAt(text, at)
    if (found === null) return null
    steps.push(found.step)
    at = found.end
  }
  return steps
}

const stepAt = (text: string, at: number): { readonly step: Step; readonly end: number } | null => {
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    return pattern.exec(text)
  }
  const key = match(KEY)
  if (key !== null) return { step: { kind: 'key', name: key[1] ?? key[2] ?? '' }, end: at + key[0].length }
  const index = match(INDEX)
  if (index !== null) return { step: { kind: 'index', at: Number(index[1]) }, end: at + index[0].length }
  const filter = match(FILTER)
  if (filter === null) return null
  // The pattern admits nothing but these comparisons.
  return { step: { kind: 'first', by: filter[1] as Comparison, text: filter[2] ?? '' }, end: at + filter[0].length }
}

/** What a path leads to; undefined when it leads nowhere. */
export const claimAt = (claims: Json, path: ClaimPath): Json | undefined =>
  path.reduce<Json | undefined>((value, step) => (value === undefined ? undefined : follow(value, step)), claims)

const follow = (value: Json, step: Step): Json | undefined => {
  switch (step.kind) {
    case 'key':
      return isObject(value) && Object.hasOwn(value, step.name) ? value[step.name] : undefined
    case 'index':
      return Array.isArray(value) ? value[step.at] : undefined
    case 'first':
      return Array.isArray(value)
        ? value.find((each) => typeof each === 'string' && fits(each, step.by, step.text))
        : undefined
  }
}

const fits = (value: string, by: Comparison, text: string): boolean => {
  switch (by) {
    case '==':
      return value === text
    case '!=':
      return value !== text
    case '^==':
      return value.startsWith(text)
    case '==^':
      return value.endsWith(text)
    case '*==':
      return value.includes(text)
  }
}
