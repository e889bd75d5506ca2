/** Random input for property tests, with the seed fixed: a failure repeats. TEAHOUSE_SOAK=1 looks much longer. */
import fc from 'fast-check'

/** How often a property is tried. */
export const runs = (few: number): fc.Parameters<unknown> => ({
  seed: 20_250_101,
  numRuns: process.env.TEAHOUSE_SOAK === '1' ? few * 50 : few,
})

const SPICE = [
  '"',
  "'",
  '\\',
  '$$',
  '--',
  '/*',
  ';',
  '\n',
  '\r',
  '\t',
  '{',
  '}',
  ',',
  'NULL',
  ' ',
  '%',
  '茶馆',
  '👩‍👩‍👧',
  '\u202e',
  '\ufeff',
  "\\'",
  "E'",
]

/** Any text that Postgres can hold: no NUL and no half of a surrogate pair. Rich in what quoting gets wrong. */
export const pgText: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.constantFrom(...SPICE), fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 8 })
  .map((parts) => Buffer.from(parts.join('').replaceAll('\0', '')).toString())
