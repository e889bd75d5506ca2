/** The rows of a window against the plain way: sort everything, cut, compare. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { runs } from '../../../test/arbitraries.ts'
import { WindowContents } from './contents.ts'
import { indexOf, RowImage } from './row.ts'
import type { WindowEvent, WindowSource } from './source.ts'

const INDEX = indexOf(['id', 'n', 'text'])
const image = (id: number, n: number, text: string) => new RowImage(INDEX, [String(id), String(n), text])
const numbers = (row: RowImage) => [Number(row.cell('n')), Number(row.cell('id'))] as const

const source = (limit: number | null): WindowSource => ({
  schema: 'public',
  table: 't',
  key: '',
  where: { kind: 'constant', value: true },
  compare: (left, right) => {
    const [a, b] = [numbers(left), numbers(right)]
    return a[0] - b[0] || a[1] - b[1]
  },
  limit,
  keyColumns: ['id'],
  orderColumns: ['n', 'id'],
  columns: ['id', 'n', 'text'],
  read: () => ({ name: '', text: '', values: [] }),
})

/** Applies events to a list as a subscriber would. */
const applied = (rows: string[], events: readonly WindowEvent[]): void => {
  for (const event of events) {
    const at = event.kind === 'move' ? event.from : event.index
    if (event.kind !== 'enter') expect(rows.splice(at, 1)[0]?.split(' ')[0]).toBe(event.key)
    if (event.kind !== 'leave') rows.splice(event.index, 0, `${event.key} ${event.row.cell('text')}`)
  }
}

const id = fc.integer({ min: 1, max: 40 })
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ id, n: fc.integer({ min: 0, max: 9 }), text: fc.constantFrom('a', 'b') }) },
  { weight: 2, arbitrary: fc.record({ id, n: fc.constant(null), text: fc.constant('') }) },
)

it('keeps what sorting and cutting everything would show, and knows when it does not know', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(null, 1, 2, 3, 8),
      fc.array(step, { maxLength: 40 }),
      fc.array(step, { maxLength: 60 }),
      (limit, first, steps) => {
        const table = new Map<number, { n: number; text: string }>()
        const put = ({ id: key, n, text }: (typeof first)[number]) => {
          if (n === null) table.delete(key)
          else table.set(key, { n, text })
        }
        const sorted = () =>
          [...table]
            .sort(([a, left], [b, right]) => left.n - right.n || a - b)
            .map(([key, { n, text }]) => ({ key: String(key), row: image(key, n, text) }))
        const held = new Set<string>()
        const contents = new WindowContents(source(limit), {
          held: (key) => held.add(key),
          released: (key) => held.delete(key),
        })
        const shown: string[] = []
        const read = () => applied(shown, contents.replace(sorted().slice(0, contents.capacity ?? undefined)))
        first.forEach(put)
        read()
        for (const each of steps) {
          put(each)
          const key = String(each.id)
          const outcome =
            each.n === null
              ? contents.drop(key, 'DELETE')
              : contents.put(key, image(each.id, each.n, each.text), 'UPDATE')
          applied(shown, outcome.events)
          if (outcome.read) read()
          const real = sorted().slice(0, limit ?? undefined)
          expect(shown).toEqual(real.map((row) => `${row.key} ${row.row.cell('text')}`))
          expect(contents.size).toBe(real.length)
        }
        contents.clear()
        expect(held.size).toBe(0)
      },
    ),
    runs(300),
  )
})
