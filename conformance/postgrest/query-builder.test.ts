/** The query builder of the official client, unmodified, method by method: what it makes of our answers. */
import type { AddressInfo } from 'node:net'
import { createClient } from '@supabase/supabase-js'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { appOver, CORPUS_CONFIG, type Harness, startHarness } from './harness.ts'

/** The part of an answer that the checks look at. */
interface Answer {
  readonly status: number
  readonly data: unknown
  readonly error: unknown
  readonly count?: number | null
}

describe('supabase-js query builder', () => {
  let harness: Harness
  let app: FastifyInstance
  let client: ReturnType<typeof connect>

  const connect = (url: string) =>
    createClient(url, 'key', {
      db: { schema: 'town' },
      auth: { persistSession: false },
      // Its own type of a WebSocket is narrower than the package's.
      realtime: { transport: WebSocket as never },
    })

  beforeAll(async () => {
    harness = await startHarness()
    app = appOver(harness.database, harness.catalog, { ...CORPUS_CONFIG, txEnd: 'commit-allow-override' })
    await app.listen({ port: 0, host: '127.0.0.1' })
    // A listening TCP server has such an address.
    client = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  })
  afterAll(async () => {
    await app.close()
    await harness.stop()
  })

  const from = (table: string) => client.from(table)
  const house = () => from('house').select('id').order('id')
  const ids = (...list: number[]) => list.map((id) => ({ id }))

  const READS: Readonly<Record<string, readonly [() => PromiseLike<Answer>, unknown]>> = {
    eq: [() => house().eq('color', 'red'), ids(1)],
    neq: [() => house().neq('color', 'red'), ids(2, 4, 5)],
    gt: [() => house().gt('number', 2), ids(3)],
    gte: [() => house().gte('number', 2), ids(2, 3, 5)],
    lt: [() => house().lt('number', 2), ids(1, 4)],
    lte: [() => house().lte('number', 1), ids(1, 4)],
    like: [() => house().like('color', 'r%'), ids(1)],
    ilike: [() => house().ilike('color', 'r%'), ids(1, 5)],
    likeAllOf: [() => house().likeAllOf('color', ['%e%', '%n']), ids(4)],
    likeAnyOf: [() => house().likeAnyOf('color', ['r%', 'g%']), ids(1, 4)],
    ilikeAnyOf: [() => house().ilikeAnyOf('color', ['r%']), ids(1, 5)],
    is: [() => house().is('active', null), ids(3)],
    in: [() => house().in('color', ['red', 'blue', 'a,b', 'x"y']), ids(1, 2)],
    contains: [() => house().contains('tags', ['brick']), ids(1, 5)],
    'contains json': [() => house().contains('details', { n: 1 }), ids(1)],
    containedBy: [() => house().containedBy('tags', ['brick', 'wood']), ids(2, 3, 5)],
    overlaps: [() => house().overlaps('tags', ['wood', 'glass']), ids(2, 4)],
    rangeGt: [() => house().rangeGt('floors', '[1,2)'), ids(5)],
    rangeGte: [() => house().rangeGte('floors', '[2,3)'), ids(5)],
    rangeLt: [() => house().rangeLt('floors', '[3,9)'), ids(1, 2)],
    rangeLte: [() => house().rangeLte('floors', '[1,3)'), ids(1, 2)],
    rangeAdjacent: [() => house().rangeAdjacent('floors', '[3,4)'), ids(1)],
    textSearch: [
      () => from('letter').select('id').textSearch('search', "'fat' & 'cat'", { config: 'english' }),
      ids(3),
    ],
    'textSearch web': [
      () =>
        from('letter')
          .select('id')
          .order('id')
          .textSearch('search', 'fat or fox', { config: 'english', type: 'websearch' }),
      ids(1, 3),
    ],
    match: [() => house().match({ color: 'red', number: 1 }), ids(1)],
    not: [() => house().not('color', 'in', '("red","blue")'), ids(4, 5)],
    or: [() => house().or('color.eq.red,and(number.eq.1,active.is.true)'), ids(1, 4)],
    filter: [() => house().filter('color', 'eq', 'red'), ids(1)],
    range: [() => house().range(1, 2), ids(2, 3)],
    limit: [() => house().limit(2), ids(1, 2)],
    single: [() => from('house').select('id').eq('id', 1).single(), { id: 1 }],
    maybeSingle: [() => from('house').select('id').eq('id', 99).maybeSingle(), null],
    csv: [() => from('street').select('id').order('id').csv(), 'id\n1\n2\n3'],
    embed: [
      () =>
        from('street')
          .select('id,house(id)')
          .eq('id', 1)
          .order('id', { referencedTable: 'house', ascending: false })
          .limit(1, { referencedTable: 'house' }),
      [{ id: 1, house: [{ id: 3 }] }],
    ],
    'inner embed': [
      () => from('house').select('id,street!inner(name)').eq('street.name', 'High Street').order('id').limit(1),
      [{ id: 4, street: { name: 'High Street' } }],
    ],
    rpc: [() => client.rpc('add_up', { a: 1 }), 3],
    'rpc by get': [() => client.rpc('add_up', { a: 1, b: 5 }, { get: true }), 6],
    'rpc with a list': [() => client.rpc('take_list', { list: [1, 2] }, { get: true }), 2],
    'rpc rows': [() => client.rpc('houses_on', { street: 1 }).select('id').eq('id', 2).single(), { id: 2 }],
    schema: [() => client.schema('annex').from('street').select('id'), ids(1)],
  }

  it.each(Object.entries(READS))('%s', async (_name, [work, expected]) => {
    const { data, error } = await work()
    expect({ data, error }).toEqual({ data: expected, error: null })
  })

  it('counts, with rows and without', async () => {
    expect(await from('house').select('id', { count: 'exact' }).range(0, 1)).toMatchObject({ status: 206, count: 5 })
    expect(await from('house').select('*', { count: 'exact', head: true })).toMatchObject({ status: 200, count: 5 })
    expect(await client.rpc('houses_on', { street: 1 }, { head: true, count: 'exact' })).toMatchObject({ count: 3 })
  })

  it('inserts, upserts, updates and deletes', async () => {
    expect(await from('tag').insert({ name: 'q1' })).toMatchObject({ status: 201, data: null, error: null })
    const many = await from('tag')
      .insert([{ name: 'q2' }, { name: 'q3', weight: 4 }])
      .select()
    expect(many.data).toEqual([
      { name: 'q2', weight: null },
      { name: 'q3', weight: 4 },
    ])
    const defaults = await from('tag')
      .insert([{ name: 'q4' }, { name: 'q5', weight: 4 }], { defaultToNull: false })
      .select()
    expect(defaults.data).toEqual([
      { name: 'q4', weight: 1 },
      { name: 'q5', weight: 4 },
    ])
    const merged = await from('tag').upsert({ name: 'q1', weight: 9 }).select().single()
    expect(merged.data).toEqual({ name: 'q1', weight: 9 })
    const ignored = await from('tag')
      .upsert({ name: 'q1', weight: 10 }, { onConflict: 'name', ignoreDuplicates: true })
      .select()
    expect(ignored.data).toEqual([])
    expect(await from('tag').update({ weight: 8 }, { count: 'exact' }).eq('name', 'q1')).toMatchObject({
      status: 204,
      count: 1,
    })
    const gone = await from('tag').delete().like('name', 'q%').select('name').order('name')
    expect(gone.data).toHaveLength(5)
  })

  it('undoes what is rolled back', async () => {
    const written = await from('tag').insert({ name: 'rolled' }).select().rollback()
    expect(written.data).toEqual([{ name: 'rolled', weight: 1 }])
    expect((await from('tag').select().eq('name', 'rolled')).data).toEqual([])
  })

  it('refuses to change more rows than allowed', async () => {
    const refused = await from('tag').update({ weight: 8 }).gt('weight', 0).maxAffected(1)
    expect(refused).toMatchObject({ status: 400, error: { code: 'PGRST124' } })
  })

  it('tells errors as the client expects them', async () => {
    expect(await from('house').select('id').single()).toMatchObject({
      status: 406,
      error: { code: 'PGRST116', details: 'The result contains 5 rows' },
    })
    expect(await from('nope').select()).toMatchObject({ status: 404, error: { code: 'PGRST205' } })
    expect(await client.schema('hidden').from('street').select()).toMatchObject({
      status: 406,
      error: { code: 'PGRST106' },
    })
    expect(await from('tag').insert({ name: 'x' })).toMatchObject({ status: 409, error: { code: '23505' } })
  })

  it('explains', async () => {
    const plan = await from('street').select().explain({ analyze: true, format: 'json' })
    expect(JSON.stringify(plan.data)).toContain('Actual Rows')
  })
})
