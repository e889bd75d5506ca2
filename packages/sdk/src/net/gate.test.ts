/** The queue in front of the phone's ten requests. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { Gate, type Leave } from './gate.ts'

// The long run, and a busy machine.
vi.setConfig({ testTimeout: 120_000 })

describe('the gate', () => {
  it('lets a short request pass a long one that has to wait', () => {
    const gate = new Gate({ total: 3, long: 1 })
    const started: string[] = []
    const leave = gate.enter(true, () => void started.push('long 1'))
    gate.enter(true, () => void started.push('long 2'))
    gate.enter(false, () => void started.push('short'))
    expect(started).toEqual(['long 1', 'short'])
    leave()
    leave()
    expect(started).toEqual(['long 1', 'short', 'long 2'])
  })

  it('never runs more than its limits, starts each in the order of its kind, and leaves nobody behind', () => {
    const step = fc.record({ isLong: fc.boolean(), leaves: fc.nat(4) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 10 }), (steps, total) => {
        const long = Math.max(total - 2, 1)
        const gate = new Gate({ total, long })
        const running = new Map<number, boolean>()
        const leaves: Leave[] = []
        const started: number[] = []
        const check = () => {
          expect(running.size).toBeLessThanOrEqual(total)
          expect([...running.values()].filter((isLong) => isLong).length).toBeLessThanOrEqual(long)
        }
        const finish = (id: number) => {
          running.delete(id)
          leaves[id]?.()
          check()
        }
        steps.forEach(({ isLong, leaves: count }, id) => {
          leaves[id] = gate.enter(isLong, () => {
            running.set(id, isLong)
            started.push(id)
          })
          check()
          for (const old of [...running.keys()].slice(0, count)) finish(old)
        })
        while (running.size > 0) for (const id of [...running.keys()]) finish(id)
        expect(started.length).toBe(steps.length)
        for (const kind of [true, false]) {
          const order = started.filter((id) => steps[id]?.isLong === kind)
          expect(order).toEqual([...order].sort((a, b) => a - b))
        }
      }),
      { seed: 20260404, numRuns: process.env['TEAHOUSE_SOAK'] ? 10_000 : 300 },
    )
  })

  it('forgets who leaves while waiting', () => {
    const gate = new Gate({ total: 1, long: 1 })
    const started: string[] = []
    const leave = gate.enter(false, () => void started.push('first'))
    gate.enter(false, () => void started.push('second'))()
    leave()
    expect(started).toEqual(['first'])
  })
})
