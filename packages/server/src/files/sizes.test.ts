import { expect, it } from 'vitest'
import { parseSize } from './sizes.ts'

it.each([
  [0, 0],
  [1048576, 1048576],
  ['1048576', 1048576],
  ['5B', 5],
  ['10kb', 10_000],
  ['50MB', 50_000_000],
  ['1.5gb', 1_500_000_000],
  ['50MiB', 52_428_800],
  ['1 GiB', 1_073_741_824],
])('reads %j as %d bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes))

it.each([
  '',
  'x',
  '-1',
  -1,
  1.2e300,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  '1TB',
  '1e9',
  '0x10',
  '９',
  `1${'0'.repeat(20)}`,
  '9999999999GB',
])('refuses %j', (text) => expect(() => parseSize(text)).toThrow('is not a file size'))
