/** A bag is a set, whatever is done to it. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { runs } from '../../test/arbitraries.ts'
import { Bag } from './bag.ts'

it('holds what a Set holds, in the same order', () => {
  const items = [{ name: 'a' }, { name: 'b' }, { name: 'c' }]
  const step = fc.record({ add: fc.boolean(), item: fc.constantFrom(...items) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const bag = new Bag<(typeof items)[number]>()
      const set = new Set<(typeof items)[number]>()
      for (const { add, item } of steps) {
        if (add) {
          bag.add(item)
          set.add(item)
        } else expect(bag.delete(item)).toBe(set.delete(item))
        expect([...bag]).toEqual([...set])
        expect(bag.size).toBe(set.size)
        for (const each of items) expect(bag.has(each)).toBe(set.has(each))
      }
    }),
    runs(100),
  )
})
