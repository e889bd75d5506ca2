/** Transactions over several calls: isolation, conflict, undoing, and their end when they are idle. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse, server, startTestEngine, type TestEngine } from '../../../test/document-engine.ts'
import { systemClock } from '../../kernel/clock.ts'

let engine: TestEngine
let documents: TestEngine['documents']
const timers = new Set<() => void>()

beforeAll(async () => {
  const clock = {
    now: () => systemClock.now(),
    after: (_ms: number, callback: () => void) => {
      timers.add(callback)
      return () => timers.delete(callback)
    },
  }
  engine = await startTestEngine('18', clock)
  documents = engine.documents
  await documents.collections.create(server, 'account', 'ADMINONLY')
  await engine.add(server, 'account', { _id: 'a', n: 10 }, { _id: 'b', n: 0 })
})
afterAll(() => engine.stop())

const move = (transaction: string | undefined, id: string, by: number) =>
  documents.update(server, {
    collection: 'account',
    query: parse({ _id: id }),
    update: parse({ $inc: { n: by } }),
    transaction,
  })
const amount = async (id: string, transaction?: string) =>
  (await engine.find(server, 'account', { _id: id }, { transaction }))[0]

it('keeps its work to itself until it commits', async () => {
  const id = await documents.transactions.start(server)
  await move(id, 'a', -3)
  await move(id, 'b', 3)
  expect(await amount('a', id)).toMatchObject({ n: 7 })
  expect(await amount('a')).toMatchObject({ n: 10 })
  expect(await engine.find(server, 'account', { n: { $lt: 9 } }, { transaction: id })).toHaveLength(2)
  await documents.transactions.commit(server, id)
  expect(await amount('b')).toMatchObject({ n: 3 })
  await expect(amount('b', id)).rejects.toMatchObject({ reason: 'transaction_not_exist' })
})

it('is undone as a whole', async () => {
  const id = await documents.transactions.start(server)
  await documents.insert(server, { collection: 'account', documents: [parse({ _id: 'c' })], transaction: id })
  await move(id, 'a', 100)
  await documents.transactions.abort(server, id)
  expect(await engine.find(server, 'account', {})).toEqual([{ _id: 'a', n: 7 }, { _id: 'b', n: 3 }]) // biome-ignore format: two accounts
})

it('is refused when another one changed the same document', async () => {
  const id = await documents.transactions.start(server)
  await amount('a', id)
  await move(undefined, 'a', 1)
  await expect(move(id, 'a', 1)).rejects.toMatchObject({ reason: 'transaction_conflict' })
  await expect(documents.transactions.commit(server, id)).rejects.toMatchObject({ reason: 'transaction_not_exist' })
  expect(await amount('a')).toMatchObject({ n: 8 })
})

it('loses nothing when many try again after a conflict', async () => {
  const attempt = async (): Promise<void> => {
    for (;;) {
      try {
        const id = await documents.transactions.start(server)
        const { n } = (await amount('b', id)) as { n: number }
        await documents.update(server, { collection: 'account', query: parse({ _id: 'b' }), update: parse({ $set: { n: n + 1 } }), transaction: id }) // biome-ignore format: one update
        await documents.transactions.commit(server, id)
        return
      } catch (error) {
        const reason = (error as { reason?: string }).reason ?? ''
        if (!['transaction_conflict', 'transaction_limit'].includes(reason)) throw error
        // Lets the others get on.
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }
  await Promise.all(Array.from({ length: 6 }, attempt))
  expect(await amount('b')).toMatchObject({ n: 9 })
})

it('ends by itself when nobody uses it', async () => {
  const id = await documents.transactions.start(server)
  await move(id, 'a', 1000)
  for (const ring of [...timers]) ring()
  await expect(move(id, 'a', 1)).rejects.toMatchObject({ reason: 'transaction_not_exist' })
  expect(await amount('a')).toMatchObject({ n: 8 })
})

it('holds few connections', async () => {
  const open = await Promise.all(Array.from({ length: 4 }, () => documents.transactions.start(server)))
  await expect(documents.transactions.start(server)).rejects.toMatchObject({
    reason: 'transaction_limit',
    code: 'rate_limited',
  })
  await Promise.all(open.map((id) => documents.transactions.abort(server, id)))
  const again = await documents.transactions.start(server)
  await documents.transactions.abort(server, again)
})
