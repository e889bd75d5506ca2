/** Timers on two nodes of one app. */
import { expect, it } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { folderOf } from '../../test/function-folder.ts'
import { silentLog } from '../observe/log.ts'
import { packFunction } from './bundle.ts'
import { deployFunction } from './deploy.ts'
import { createTimers, type Turn } from './timers.ts'

const tick = { name: 'tick', type: 'timer', config: '*/10 * * * * * *' }

it('each turn of a timer is taken by one of two nodes, and one that nobody took in time is skipped', async () => {
  const database = await createTestDatabase()
  let now = Date.parse('2026-01-01T00:00:00Z')
  const clock = { now: () => now, after: () => () => {} }
  const files = { 'index.js': 'exports.main = (event) => event', 'config.json': JSON.stringify({ triggers: [tick] }) }
  try {
    await deployFunction(database.owner, clock, await packFunction(await folderOf(files), 'ticking'))
    const turns: Turn[] = []
    const nodes = [1, 2].map(() =>
      createTimers({ db: database.owner, clock, log: silentLog }, (turn) => turns.push(turn)),
    )
    const lookAll = () => Promise.all(nodes.map((node) => node.look()))
    for (let second = 0; second < 60; second += 5) {
      now += 5_000
      await lookAll()
    }
    expect(turns.map(({ at }) => at.getTime() % 60_000)).toEqual([10_000, 20_000, 30_000, 40_000, 50_000, 0])
    now += 3_600_000
    await lookAll()
    expect(turns).toHaveLength(6)
    now += 10_000
    await lookAll()
    expect(turns).toHaveLength(7)
  } finally {
    await database.drop()
  }
})
