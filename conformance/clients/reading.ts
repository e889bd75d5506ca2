/** Reading: every filter and modifier of the query builder. */
import { type Area, dataOf, errorOf, ids, NotApplicable, needs, type Platform, same } from './tools.ts'

/** A filter: the method, its arguments, and the ids of the teas that are left. */
const FILTERS: Readonly<Record<string, readonly [string, readonly unknown[], readonly number[]]>> = {
  eq: ['eq', ['name', 'green'], [1]],
  neq: ['neq', ['name', 'green'], [2, 3]],
  gt: ['gt', ['price', 20], [3]],
  gte: ['gte', ['price', 20], [2, 3]],
  lt: ['lt', ['price', 20], [1]],
  lte: ['lte', ['price', 20], [1, 2]],
  like: ['like', ['name', '%e%'], [1, 3]],
  likeAllOf: ['likeAllOf', ['name', ['g%', '%n']], [1]],
  likeAnyOf: ['likeAnyOf', ['name', ['g%', 'b%']], [1, 2]],
  ilike: ['ilike', ['name', 'GR%'], [1]],
  ilikeAllOf: ['ilikeAllOf', ['name', ['G%', '%N']], [1]],
  ilikeAnyOf: ['ilikeAnyOf', ['name', ['G%', 'B%']], [1, 2]],
  regexMatch: ['regexMatch', ['name', '^g'], [1]],
  regexIMatch: ['regexIMatch', ['name', '^G'], [1]],
  'is null': ['is', ['note', null], [2, 3]],
  'is true': ['is', ['hot', true], [1]],
  isDistinct: ['isDistinct', ['note', 'fresh'], [2, 3]],
  in: ['in', ['name', ['green', 'a,b', 'x"y', '茶']], [1]],
  notIn: ['notIn', ['name', ['green', 'black']], [3]],
  'contains (array)': ['contains', ['tags', ['leaf']], [1, 2]],
  'contains (json)': ['contains', ['facts', { region: 'Fujian' }], [1]],
  containedBy: ['containedBy', ['tags', ['leaf', 'hot']], [1, 3]],
  rangeGt: ['rangeGt', ['season', '[1,2)'], [2, 3]],
  rangeGte: ['rangeGte', ['season', '[4,5)'], [2, 3]],
  rangeLt: ['rangeLt', ['season', '[5,9)'], [1]],
  rangeLte: ['rangeLte', ['season', '[1,4)'], [1]],
  rangeAdjacent: ['rangeAdjacent', ['season', '[9,10)'], [3]],
  'overlaps (array)': ['overlaps', ['tags', ['cake', 'hot']], [2, 3]],
  'overlaps (range)': ['overlaps', ['season', '[2,5)'], [1, 2]],
  textSearch: ['textSearch', ['words', "'fresh'", { config: 'english' }], [1]],
  'textSearch (plain)': ['textSearch', ['words', 'fresh leaf', { type: 'plain', config: 'english' }], [1]],
  'textSearch (phrase)': ['textSearch', ['words', 'dark cake', { type: 'phrase', config: 'english' }], [2]],
  'textSearch (websearch)': ['textSearch', ['words', 'fresh or dark', { type: 'websearch' }], [1, 2]],
  match: ['match', [{ name: 'green', price: 10 }], [1]],
  not: ['not', ['name', 'in', '("green","black")'], [3]],
  or: ['or', ['name.eq.green,and(price.gt.20,hot.is.false)'], [1, 3]],
  filter: ['filter', ['name', 'eq', 'green'], [1]],
}

export const reads: Area = {
  ...Object.fromEntries(
    Object.entries(FILTERS).map(([name, [method, args, expected]]) => [
      name,
      async ({ open }: Platform) => {
        const query = (await open()).from('tea').select('id').order('id')
        needs(query, method)
        same(dataOf(await query[method](...args)), ids(...expected))
      },
    ]),
  ),
  'textSearch (with an ampersand)': async ({ open, wx }) => {
    if (wx) throw new NotApplicable('broken in the client: it does not encode the ampersand of a value')
    const query = (await open()).from('tea').select('id')
    same(dataOf(await query.textSearch('words', "'fresh' & 'leaf'")), ids(1))
  },
  'select with names, aliases, casts and JSON paths': async ({ open }) => {
    const query = (await open()).from('tea').select('title:name, price::text, facts->>region').eq('id', 1)
    same(dataOf(await query), [{ title: 'green', price: '10', region: 'Fujian' }])
  },
  'select with embedded rows, their order and limit': async ({ open }) => {
    const query = (await open()).from('tea').select('id, cup(id)').eq('id', 1)
    const ordered = query.order('id', { foreignTable: 'cup', referencedTable: 'cup', ascending: false })
    same(dataOf(await ordered.limit(1, { foreignTable: 'cup', referencedTable: 'cup' })), [{ id: 1, cup: [{ id: 2 }] }])
  },
  'select with an inner join': async ({ open }) =>
    same(dataOf(await (await open()).from('cup').select('id, tea!inner(name)').eq('tea.name', 'black')), [
      { id: 3, tea: { name: 'black' } },
    ]),
  'order (descending, nulls)': async ({ open }) => {
    const query = (await open()).from('tea').select('id')
    same(
      dataOf(await query.order('note', { ascending: false, nullsFirst: false }).order('id', { ascending: false })),
      ids(1, 3, 2),
    )
  },
  limit: async ({ open }) =>
    same(dataOf(await (await open()).from('tea').select('id').order('id').limit(2)), ids(1, 2)),
  range: async ({ open }) =>
    same(dataOf(await (await open()).from('tea').select('id').order('id').range(1, 2)), ids(2, 3)),
  single: async ({ open }) => {
    const client = await open()
    same(dataOf(await client.from('tea').select('id').eq('id', 1).single()), { id: 1 })
    const refused = await client.from('tea').select('id').single()
    same([refused.status, errorOf(refused).code], [406, 'PGRST116'])
  },
  maybeSingle: async ({ open }) => {
    const client = await open()
    same(dataOf(await client.from('tea').select('id').eq('id', 1).maybeSingle()), { id: 1 })
    same(dataOf(await client.from('tea').select('id').eq('id', 99).maybeSingle()), null)
  },
  csv: async ({ open }) =>
    same(dataOf(await (await open()).from('tea').select('id,name').eq('id', 1).csv()), 'id,name\n1,green'),
  geojson: async () => {
    throw new NotApplicable('needs PostGIS in the database')
  },
  stripNulls: async ({ open }) => {
    const query = (await open()).from('tea').select('id,note').eq('id', 2)
    needs(query, 'stripNulls')
    same(dataOf(await query.stripNulls()), [{ id: 2 }])
  },
  'explain (refused while plans are off, as upstream does by default)': async ({ open }) => {
    const query = (await open()).from('tea').select('id')
    needs(query, 'explain')
    const answer = await query.explain()
    same([answer.status, errorOf(answer).code], [406, 'PGRST107'])
  },
  abortSignal: async ({ open, wx }) => {
    if (wx) throw new NotApplicable('mini-programs have no AbortController')
    const gone = AbortSignal.abort()
    const answer = await (await open()).from('tea').select('id').abortSignal(gone)
    if (answer.error === null) throw new Error('was not aborted')
  },
  throwOnError: async ({ open }) => {
    const failed = await (await open())
      .from('nowhere')
      .select()
      .throwOnError()
      .then(
        () => false,
        () => true,
      )
    same(failed, true)
  },
  returns: async ({ open }) =>
    same(dataOf(await (await open()).from('tea').select('id').eq('id', 1).returns()), ids(1)),
  overrideTypes: async ({ open }) => {
    const query = (await open()).from('tea').select('id').eq('id', 1)
    needs(query, 'overrideTypes')
    same(dataOf(await query.overrideTypes()), ids(1))
  },
  setHeader: async ({ open }) => {
    const query = (await open()).from('tea').select('id').eq('id', 1)
    needs(query, 'setHeader')
    same(dataOf(await query.setHeader('x-mine', 'yes')), ids(1))
  },
  schema: async ({ open }) => {
    const client = await open()
    needs(client, 'schema')
    same(dataOf(await client.schema('public').from('tea').select('id').eq('id', 1)), ids(1))
    const refused = await client.schema('hidden').from('tea').select('id')
    same([refused.status, errorOf(refused).code], [406, 'PGRST106'])
  },
  'count (exact, with and without rows)': async ({ open }) => {
    const client = await open()
    same((await client.from('tea').select('id', { count: 'exact' }).limit(1)).count, 3)
    same((await client.from('tea').select('*', { count: 'exact', head: true })).count, 3)
  },
  'errors (unknown table, unknown column)': async ({ open }) => {
    const client = await open()
    const table = await client.from('nowhere').select()
    const column = await client.from('tea').select('nothing')
    same([table.status, errorOf(table).code, column.status, errorOf(column).code], [404, 'PGRST205', 400, '42703'])
  },
}
