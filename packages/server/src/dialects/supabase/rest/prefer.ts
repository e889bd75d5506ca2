/** The Prefer header (RFC 7240): what a client would like, and what of it was done. */
import type { CountKind } from '../../../data/query.ts'
import { RestError } from './errors.ts'

export interface Preferences {
  readonly resolution: 'merge-duplicates' | 'ignore-duplicates' | null
  readonly returning: 'representation' | 'minimal' | 'headers-only' | null
  readonly count: CountKind | null
  readonly transaction: 'commit' | 'rollback' | null
  readonly missing: 'default' | 'null' | null
  readonly handling: 'strict' | 'lenient' | null
  readonly timezone: string | null
  readonly maxAffected: number | null
  /** What was not understood. */
  readonly invalid: readonly string[]
}

const KNOWN = {
  resolution: ['merge-duplicates', 'ignore-duplicates'],
  return: ['representation', 'minimal', 'headers-only'],
  count: ['exact', 'planned', 'estimated'],
  tx: ['commit', 'rollback'],
  missing: ['default', 'null'],
  handling: ['strict', 'lenient'],
} as const

const MAX_PREFERENCES = 100

/** Reads one or several header lines; of a repeated preference the first counts. */
export const parsePrefer = (header: string | undefined, isZone: (name: string) => boolean): Preferences => {
  const parts = (header ?? '').split(',', MAX_PREFERENCES).map((part) => part.trim())
  const found = new Map<string, string>()
  const invalid: string[] = []
  for (const part of parts) {
    if (part === '') continue
    const at = part.indexOf('=')
    const [name, value] = at === -1 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]
    if (!isKnown(name, value, isZone)) invalid.push(part)
    else if (!found.has(name)) found.set(name, value)
  }
  const pick = <K extends keyof typeof KNOWN>(name: K) =>
    // isKnown admitted nothing but these words.
    (found.get(name) ?? null) as (typeof KNOWN)[K][number] | null
  return {
    resolution: pick('resolution'),
    returning: pick('return'),
    count: pick('count'),
    transaction: pick('tx'),
    missing: pick('missing'),
    handling: pick('handling'),
    timezone: found.get('timezone') ?? null,
    maxAffected: found.has('max-affected') ? Number(found.get('max-affected')) : null,
    invalid,
  }
}

const isKnown = (name: string, value: string, isZone: (name: string) => boolean): boolean => {
  if (name === 'timezone') return isZone(value)
  if (name === 'max-affected') return /^\d{1,15}$/.test(value)
  const values: readonly string[] | undefined = Object.hasOwn(KNOWN, name)
    ? KNOWN[name as keyof typeof KNOWN]
    : undefined
  return values?.includes(value) ?? false
}

/** handling=strict refuses what was not understood. */
export const refuseInvalid = ({ handling, invalid }: Preferences): void => {
  if (handling !== 'strict' || invalid.length === 0) return
  throw new RestError(400, {
    code: 'PGRST122',
    message: 'Invalid preferences given with handling=strict',
    details: `Invalid preferences: ${invalid.join(', ')}`,
  })
}

/** Names of time zones in the header, so that the list of zones is only asked for when it matters. */
export const mentionsTimeZone = (header: string | undefined): boolean => header?.includes('timezone=') ?? false

/** The value of Preference-Applied, or null. */
export const appliedPreferences = (applied: Partial<Preferences>): string | null => {
  const pairs: (readonly [string, string | null | undefined])[] = [
    ['resolution', applied.resolution],
    ['missing', applied.missing],
    ['return', applied.returning],
    ['count', applied.count],
    ['tx', applied.transaction],
    ['handling', applied.handling],
    ['timezone', applied.timezone],
    ['max-affected', applied.handling === 'strict' ? applied.maxAffected?.toString() : null],
  ]
  const texts = pairs.flatMap(([name, value]) => (value === null || value === undefined ? [] : [`${name}=${value}`]))
  return texts.length === 0 ? null : texts.join(', ')
}
