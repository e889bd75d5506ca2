/** What policies see of a caller: the values behind `auth.uid()`, `auth.jwt() ->> 'x'` and their relatives, as Postgres would answer them. Pure. */
import type { Json, JsonObject } from '../kernel/json.ts'

/** The part of a caller that policies depend on. */
export interface PolicyCaller {
  readonly role: string
  readonly claims: JsonObject
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i

/** `value ->> key`: text of strings, JSON of everything else, null for what is absent. */
export const jsonText = (value: Json | undefined): string | null => {
  if (value === undefined || value === null) return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Steps into claims the way `->` does. */
export const claimAt = (claims: JsonObject, path: readonly string[]): Json | undefined => {
  let current: Json | undefined = claims
  for (const step of path) {
    if (typeof current !== 'object' || current === null) return undefined
    if (Array.isArray(current)) {
      const index = Number(step)
      current = Number.isInteger(index) ? current.at(index) : undefined
    } else {
      // An array was excluded just above; readonly arrays escape the narrowing of Array.isArray.
      const object: JsonObject = current as JsonObject
      current = Object.hasOwn(object, step) ? object[step] : undefined
    }
  }
  return current
}

/** `auth.uid()`; 'error' when the claim is no uuid, where Postgres would refuse the whole statement. */
export const uidOf = (claims: JsonObject): string | null | 'error' => {
  const sub = jsonText(claims.sub)
  if (sub === null) return null
  if (!UUID.test(sub)) return 'error'
  const hex = sub.replaceAll('-', '').toLowerCase()
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** `auth.openid()`. */
export const openidOf = (claims: JsonObject): string | null => jsonText(claims.openid) ?? jsonText(claims.sub)
