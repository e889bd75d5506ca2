/** The text that values travel as; that Postgres reads it back is in parameters.pg.test.ts. */
import { describe, expect, it } from 'vitest'
import { toParameter } from './parameters.ts'

describe('parameters', () => {
  it('are text, whatever the type', () => {
    expect(toParameter('a')).toBe('a')
    expect(toParameter(1.5)).toBe('1.5')
    expect(toParameter(9_223_372_036_854_775_807n)).toBe('9223372036854775807')
    expect(toParameter(true)).toBe('true')
    expect(toParameter(new Date('2025-01-02T03:04:05.678+08:00'))).toBe('2025-01-01T19:04:05.678Z')
    expect(toParameter({ a: [1, null] })).toBe('{"a":[1,null]}')
  })

  it('keep null null', () => {
    expect(toParameter(null)).toBe(null)
  })

  it('send bytes as bytes, without copying them', () => {
    const backing = new Uint8Array([0, 1, 2, 3]).subarray(1, 3)
    expect(toParameter(backing)).toEqual(Buffer.from([1, 2]))
  })

  it('quote every element of an array, so that NULL and commas stay text', () => {
    expect(toParameter(['NULL', null, 'a,b', 'c"d', '\\', '', '{}'])).toBe('{"NULL",NULL,"a,b","c\\"d","\\\\","","{}"}')
    expect(
      toParameter([
        [1, 2],
        [3, null],
      ]),
    ).toBe('{{"1","2"},{"3",NULL}}')
    expect(toParameter([{ a: '"' }])).toBe('{"{\\"a\\":\\"\\\\\\"\\"}"}')
    expect(toParameter([new Uint8Array([255])])).toBe('{"\\\\xff"}')
  })
})
