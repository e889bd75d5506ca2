/** Writing, and calling functions. */
import { type Area, dataOf, errorOf, ids, type Loose, needs, same, shelf } from './tools.ts'

const rows = async (client: Loose) => dataOf(await client.from('shelf').select('id,label').order('id'))

export const writes: Area = {
  'insert (one, many, with select)': async (platform) => {
    const client = await shelf(platform)
    const one = await client.from('shelf').insert({ id: 1, label: '一' })
    same([one.status, one.error], [201, null])
    same(
      dataOf(
        await client
          .from('shelf')
          .insert([{ id: 2 }, { id: 3 }])
          .select('id')
          .order('id'),
      ),
      ids(2, 3),
    )
    same(await rows(client), [
      { id: 1, label: '一' },
      { id: 2, label: 'plain' },
      { id: 3, label: 'plain' },
    ])
  },
  'insert (defaultToNull: false)': async (platform) => {
    const client = await shelf(platform)
    const made = await client
      .from('shelf')
      .insert([{ id: 1, label: 'x' }, { id: 2 }], { defaultToNull: false })
      .select('label')
      .order('id')
    same(dataOf(made), [{ label: 'x' }, { label: 'plain' }])
  },
  'insert (count, duplicate refused)': async (platform) => {
    const client = await shelf(platform)
    same((await client.from('shelf').insert([{ id: 1 }, { id: 2 }], { count: 'exact' })).count, 2)
    const refused = await client.from('shelf').insert({ id: 1 })
    same([refused.status, errorOf(refused).code], [409, '23505'])
  },
  'upsert (merge, ignore, onConflict)': async (platform) => {
    const client = await shelf(platform)
    dataOf(await client.from('shelf').upsert({ id: 1, label: 'a' }))
    dataOf(await client.from('shelf').upsert([{ id: 1, label: 'b' }], { onConflict: 'id' }))
    same(dataOf(await client.from('shelf').upsert({ id: 1, label: 'c' }, { ignoreDuplicates: true }).select()), [])
    same(await rows(client), [{ id: 1, label: 'b' }])
  },
  'update (with select, count)': async (platform) => {
    const client = await shelf(platform)
    dataOf(await client.from('shelf').insert([{ id: 1 }, { id: 2 }]))
    same((await client.from('shelf').update({ label: 'u' }, { count: 'exact' }).gte('id', 1)).count, 2)
    same(dataOf(await client.from('shelf').update({ label: 'v' }).eq('id', 1).select('label').single()), { label: 'v' })
  },
  'delete (with select, count)': async (platform) => {
    const client = await shelf(platform)
    dataOf(await client.from('shelf').insert([{ id: 1 }, { id: 2 }]))
    same(dataOf(await client.from('shelf').delete().eq('id', 1).select('id')), ids(1))
    same((await client.from('shelf').delete({ count: 'exact' }).gte('id', 0)).count, 1)
  },
  rollback: async (platform) => {
    const client = await shelf(platform)
    needs(client.from('shelf').insert({ id: 1 }), 'rollback')
    dataOf(await client.from('shelf').insert({ id: 1 }).rollback())
    same(await rows(client), [])
  },
  maxAffected: async (platform) => {
    const client = await shelf(platform)
    dataOf(await client.from('shelf').insert([{ id: 1 }, { id: 2 }]))
    const query = client.from('shelf').update({ label: 'm' }).gte('id', 0)
    needs(query, 'maxAffected')
    same(errorOf(await query.maxAffected(1)).code, 'PGRST124')
  },
}

export const functions: Area = {
  rpc: async ({ open }) => same(dataOf(await (await open()).rpc('add', { a: 1, b: 2 })), 3),
  'rpc (get)': async ({ open }) => same(dataOf(await (await open()).rpc('add', { a: 1, b: 2 }, { get: true })), 3),
  'rpc (head, count)': async ({ open }) =>
    same((await (await open()).rpc('cheap', { most: 20 }, { head: true, count: 'exact' })).count, 2),
  'rpc with filters, order and limit': async ({ open }) =>
    same(
      dataOf(
        await (await open())
          .rpc('cheap', { most: 30 })
          .select('id')
          .gt('id', 1)
          .order('id', { ascending: false })
          .limit(1),
      ),
      ids(3),
    ),
  'rpc (unknown function)': async ({ open }) => {
    const answer = await (await open()).rpc('nothing')
    same([answer.status, errorOf(answer).code], [404, 'PGRST202'])
  },
}
