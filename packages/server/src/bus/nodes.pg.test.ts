/** Nodes of one database: which may start together, and what is said of one that is not heard. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { eventually } from '../../test/realtime.ts'
import { type Clock, systemClock } from '../kernel/clock.ts'
import type { Log } from '../observe/log.ts'
import { createLocalBus } from './local.ts'
import { type NodeFacts, Nodes } from './nodes.ts'

/** Time that runs a thousand times faster, so that nobody waits for patience to end. */
const hasty: Clock = {
  now: () => Date.now() * 1000,
  after: (ms, callback) => systemClock.after(Math.ceil(ms / 100), callback),
}

describe('nodes', () => {
  let database: TestDatabase
  const running: Nodes[] = []
  const errors: string[] = []
  const warnings: string[] = []
  const log: Log = {
    debug: () => {},
    info: () => {},
    warn: (_fields, message) => warnings.push(message),
    error: (fields, message) => errors.push(`${message} ${JSON.stringify(fields)}`),
    child: () => log,
  }

  beforeAll(async () => {
    database = await createTestDatabase('15')
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((nodes) => nodes.stop()))
  })
  afterAll(() => database.drop())

  const start = async (facts: Partial<NodeFacts>, clock = hasty): Promise<Nodes> => {
    const nodes = new Nodes({
      db: database.owner,
      bus: createLocalBus(() => {}),
      clock,
      log,
      facts: { name: 'one', host: 'here', pid: process.pid, bus: 'postgres', files: 's3', secrets: ['a'], ...facts },
    })
    running.push(nodes)
    await nodes.start()
    return nodes
  }

  it('start together when they use one bus, and secrets that overlap: one may be on its way out', async () => {
    await start({ name: 'one', secrets: ['a'] })
    await start({ name: 'two', secrets: ['b', 'a'] })
  })

  it('say so when files are where only one of them finds them', async () => {
    await start({ name: 'one', files: 'disk' })
    expect(warnings).toEqual([])
    await start({ name: 'two', files: 'disk' })
    expect(warnings.map((warning) => warning.includes('--storage-url'))).toEqual([true])
  })

  it('do not start where they would not hear each other', async () => {
    await start({ name: 'one', bus: 'postgres' })
    await expect(start({ name: 'two', bus: 'nats' })).rejects.toThrow(
      `A server on here (process ${process.pid}) uses this database with the bus "postgres", this one would use "nats": they would not hear each other. Give all of them the same --bus-url.`,
    )
  })

  it('do not start where one would not take the tokens of the other', async () => {
    await start({ name: 'one', secrets: ['a'] })
    await expect(start({ name: 'two', secrets: ['b'] })).rejects.toThrow('another JWT secret')
  })

  it('do not wait for one that crashed on the same machine, nor for one that has stopped', async () => {
    await start({ name: 'one', bus: 'nats', pid: 2 ** 30 })
    const stopped = await start({ name: 'two', bus: 'postgres' })
    await stopped.stop()
    await start({ name: 'three', bus: 'local' })
  })

  it('are named aloud when they are there and not heard', async () => {
    await start({ name: 'one', bus: 'local' })
    await start({ name: 'two', bus: 'local' })
    // One of them may be named again before the other is named for the first time.
    const named = () => [...new Set(errors.map((error) => /"node":"(\w+)"/.exec(error)?.[1]))].sort()
    await eventually(() => named().length >= 2, 'both are named')
    expect(named()).toEqual(['one', 'two'])
    expect(errors[0]).toContain('is not heard on the bus')
  })
})
