/** The text of a row, as Postgres writes it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../../test/arbitraries.ts'
import { parseRecord } from './record-text.ts'

/** As record_out does: quotes around what would be read as something else. */
const write = (cells: readonly (string | null)[]): string =>
  `(${cells
    .map((cell) => {
      if (cell === null) return ''
      if (cell !== '' && !/[\s"\\(),]/.test(cell)) return cell
      return `"${cell.replaceAll('\\', '\\\\').replaceAll('"', '""')}"`
    })
    .join(',')})`

describe('the text of a row', () => {
  it('is read as it was written', () => {
    const cell = fc.option(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', '\\', ',', '(', ')', ' ', '茶') })),
    )
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 8 }), (cells) => {
        expect(parseRecord(write(cells))).toEqual(cells)
      }),
      runs(500),
    )
  })

  it('is refused when it is cut short', () => {
    for (const text of ['', '(', '(a', '("a)', '(a,"b"c)', 'a)']) expect(() => parseRecord(text)).toThrow(RangeError)
  })
})
