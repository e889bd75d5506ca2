import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { elementsOf, textOf, xml } from './xml.ts'

describe('the XML of S3', () => {
  it('repeats lists, leaves out what is not there, and escapes', () => {
    expect(xml('R', { A: [{ B: 1 }, { B: '<&>"' }], C: undefined, D: null, E: false })).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<R xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><A><B>1</B></A><A><B>&lt;&amp;&gt;&quot;</B></A><E>false</E></R>',
    )
  })

  it('reads back any text that it wrote', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(textOf(xml('R', { Key: text }), 'Key')).toBe(text.trim())
      }),
      { seed: 5, numRuns: process.env.TEAHOUSE_SOAK === '1' ? 10_000 : 200 },
    )
  })

  it.each([
    '<!DOCTYPE a [<!ENTITY x "y">]><Key>&x;</Key>',
    '<Key>never closed',
    '<Key><![CDATA[x]]></Key>',
    '<Key>'.repeat(2000),
  ])('refuses %s', (text) => {
    expect(() => elementsOf(text, 'Key', 1000)).toThrow('well-formed')
  })

  it('does not take more than it was told to', () => {
    expect(() => elementsOf('<Key>a</Key>'.repeat(3), 'Key', 2)).toThrow('well-formed')
    expect(elementsOf('<K x="1">a</K><K>b</K><Key>c</Key>', 'K', 5)).toEqual(['a', 'b'])
  })
})
