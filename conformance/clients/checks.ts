/** Every method of a Supabase client that this package speaks for, called on a real server. Runs in any Node, with any of the clients; imports nothing. */

/** The clients differ in their types and agree in their methods: which of them exist is what is looked at. */
// biome-ignore lint/suspicious/noExplicitAny: three packages whose types contradict each other
export type Loose = any

export interface Platform {
  /** A client of its own, with the anon key: service keys are refused in mini-programs. */
  open(): Promise<Loose> | Loose
  /** Closes the clients that were opened: a mini-program has five sockets and no more. */
  close(): Promise<void>
  /** A file in the form in which this client takes files. */
  file(text: string): Loose
  /** Mini-programs get what wx.request answers where others get what was meant. */
  readonly wx: boolean
}

export interface Result {
  readonly area: string
  readonly name: string
  readonly outcome: 'passes' | 'not applicable' | 'gap'
  readonly reason: string
}

class NotApplicable extends Error {}

/** Leaves the channels of clients, and closes their sockets. */
export const closeAll = async (clients: Loose[]): Promise<void> => {
  for (const client of clients.splice(0)) {
    await client.removeAllChannels()
    await client.realtime.disconnect()
  }
}

/** Compares as JSON: values of another realm have other prototypes. */
const same = (actual: unknown, expected: unknown): void => {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (left !== right) throw new Error(`${left?.slice(0, 300)} instead of ${right?.slice(0, 300)}`)
}

const until = async (what: string, condition: () => boolean): Promise<void> => {
  const deadline = Date.now() + 15_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const needs = (target: Loose, method: string): void => {
  if (typeof target?.[method] !== 'function') throw new NotApplicable('this version has no such method')
}

/** The data of an answer, without the wrapping of wx.request. */
const dataOf = ({ data, error }: Loose): Loose => {
  if (error !== null && error !== undefined) throw new Error(JSON.stringify(error).slice(0, 300))
  return data !== null && typeof data === 'object' && 'errMsg' in data ? data.data : data
}
const errorOf = ({ error }: Loose): Loose => error?.data ?? error

type Check = (platform: Platform) => Promise<void>
type Area = Readonly<Record<string, Check>>

// --- reading

const ids = (...list: number[]) => list.map((id) => ({ id }))

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

const reads: Area = {
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

// --- writing

const shelf = async ({ open }: Platform) => {
  const client = await open()
  await client.from('shelf').delete().gte('id', 0)
  return client.from('shelf') && client
}
const rows = async (client: Loose) => dataOf(await client.from('shelf').select('id,label').order('id'))

const writes: Area = {
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

const functions: Area = {
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

// --- storage

const bucketOf = async (platform: Platform, title: string) => {
  const { storage } = await platform.open()
  const name = `${title}-${Math.random().toString(36).slice(2)}`
  await storage.createBucket(name, { public: true })
  return storage.from(name)
}

const textOf = async (answer: Loose): Promise<string> => {
  const data = dataOf(answer)
  return typeof data === 'string' ? data : data.text()
}

const storage: Area = {
  'createBucket, getBucket, listBuckets, updateBucket, emptyBucket, deleteBucket': async ({ open }) => {
    const { storage } = await open()
    const name = `tin-${Math.random().toString(36).slice(2)}`
    same(dataOf(await storage.createBucket(name, { public: false })).name, name)
    same(dataOf(await storage.getBucket(name)).public, false)
    dataOf(await storage.updateBucket(name, { public: true }))
    same(
      dataOf(await storage.listBuckets()).some(({ id }: Loose) => id === name),
      true,
    )
    dataOf(await storage.emptyBucket(name))
    dataOf(await storage.deleteBucket(name))
  },
  'upload, download': async (platform) => {
    const bucket = await bucketOf(platform, 'up')
    same(dataOf(await bucket.upload('a/茶.txt', platform.file('绿茶'))).path, 'a/茶.txt')
    same(await textOf(await bucket.download('a/茶.txt')), '绿茶')
    const again = await bucket.upload('a/茶.txt', platform.file('x'))
    if (again.error === null) throw new Error('a second upload was not refused')
  },
  'upload (upsert), update': async (platform) => {
    const bucket = await bucketOf(platform, 'over')
    dataOf(await bucket.upload('a.txt', platform.file('first')))
    dataOf(await bucket.upload('a.txt', platform.file('second'), { upsert: true }))
    same(await textOf(await bucket.download('a.txt')), 'second')
    dataOf(await bucket.update('a.txt', platform.file('third')))
    same(await textOf(await bucket.download('a.txt')), 'third')
  },
  list: async (platform) => {
    const bucket = await bucketOf(platform, 'listed')
    for (const path of ['a.txt', 'b.txt', 'folder/c.txt']) dataOf(await bucket.upload(path, platform.file('x')))
    same(
      dataOf(await bucket.list()).map(({ name, id }: Loose) => [name, id === null]),
      [
        ['folder', true],
        ['a.txt', false],
        ['b.txt', false],
      ],
    )
    same(
      dataOf(await bucket.list('folder', { limit: 1, offset: 0, sortBy: { column: 'name', order: 'desc' } })).length,
      1,
    )
    same(
      dataOf(await bucket.list('', { search: 'b' })).map(({ name }: Loose) => name),
      ['b.txt'],
    )
  },
  listV2: async (platform) => {
    const bucket = await bucketOf(platform, 'paged')
    needs(bucket, 'listV2')
    for (const path of ['a.txt', 'b.txt']) dataOf(await bucket.upload(path, platform.file('x')))
    const page = dataOf(await bucket.listV2({ limit: 1 }))
    same([page.hasNext, page.objects.length], [true, 1])
    same(dataOf(await bucket.listV2({ limit: 1, cursor: page.nextCursor })).objects.length, 1)
  },
  'move, copy': async (platform) => {
    const bucket = await bucketOf(platform, 'moved')
    dataOf(await bucket.upload('a.txt', platform.file('x')))
    dataOf(await bucket.move('a.txt', 'b.txt'))
    dataOf(await bucket.copy('b.txt', 'c.txt'))
    same(
      dataOf(await bucket.list()).map(({ name }: Loose) => name),
      ['b.txt', 'c.txt'],
    )
  },
  'remove (present, missing, nothing)': async (platform) => {
    const bucket = await bucketOf(platform, 'gone')
    dataOf(await bucket.upload('a.txt', platform.file('x')))
    same(dataOf(await bucket.remove(['a.txt', 'never.txt'])).length, 1)
    same(dataOf(await bucket.remove(['a.txt'])), [])
  },
  getPublicUrl: async (platform) => {
    const bucket = await bucketOf(platform, 'seen')
    dataOf(await bucket.upload('a.txt', platform.file('open')))
    const response = await fetch(bucket.getPublicUrl('a.txt').data.publicUrl)
    same([response.status, await response.text()], [200, 'open'])
  },
  'createSignedUrl, createSignedUrls': async (platform) => {
    const bucket = await bucketOf(platform, 'signed')
    dataOf(await bucket.upload('a.txt', platform.file('secret')))
    const { data } = await bucket.createSignedUrl('a.txt', 60)
    same(await (await fetch(data.signedUrl)).text(), 'secret')
    const list = dataOf(await bucket.createSignedUrls(['a.txt', 'never.txt'], 60))
    same(
      list.map(({ error }: Loose) => error === null),
      [true, false],
    )
  },
  'createSignedUploadUrl, uploadToSignedUrl': async (platform) => {
    if (platform.wx)
      throw new NotApplicable('broken in the client: it reads the URL from the wrapper, and needs a global URL')
    const bucket = await bucketOf(platform, 'later')
    const { path, token } = dataOf(await bucket.createSignedUploadUrl('a.txt'))
    dataOf(await bucket.uploadToSignedUrl(path, token, platform.file('late')))
    same(await textOf(await bucket.download('a.txt')), 'late')
  },
  'info, exists': async (platform) => {
    const bucket = await bucketOf(platform, 'known')
    needs(bucket, 'exists')
    dataOf(await bucket.upload('a.txt', platform.file('12345')))
    same(dataOf(await bucket.info('a.txt')).size, 5)
    same([dataOf(await bucket.exists('a.txt')), (await bucket.exists('never.txt')).data], [true, false])
  },
  'refusals (policies)': async (platform) => {
    const { storage } = await platform.open()
    const answer = await storage.from('closed').upload('a.txt', platform.file('x'))
    if (answer.error === null) throw new Error('was not refused')
  },
}

// --- realtime

const subscribed = (channel: Loose): Promise<void> =>
  new Promise((resolve, reject) => {
    channel.subscribe((status: string, error: Loose) => {
      if (status === 'SUBSCRIBED') resolve()
      else if (status !== 'CLOSED') reject(new Error(`${status} ${error?.message ?? ''}`))
    })
  })

/** Joins and waits until changes flow, which the server tells on a channel of its own. */
const listening = async (channel: Loose): Promise<void> => {
  let ready = false
  channel.on('system', {}, ({ status }: Loose) => {
    ready = ready || status === 'ok'
  })
  await subscribed(channel)
  await until('the changes to flow', () => ready)
}

let rooms = 0
const room = (): string => `room-${++rooms}-${Math.random().toString(36).slice(2)}`

const realtime: Area = {
  'postgres_changes (INSERT, UPDATE, DELETE)': async (platform) => {
    const client = await shelf(platform)
    const heard: unknown[] = []
    const channel = client.channel(room())
    for (const event of ['INSERT', 'UPDATE', 'DELETE'])
      channel.on('postgres_changes', { event, schema: 'public', table: 'shelf' }, (change: Loose) =>
        heard.push([change.eventType, change.new.label ?? null, change.old.id ?? null]),
      )
    await listening(channel)
    dataOf(await client.from('shelf').insert({ id: 7, label: 'new' }))
    dataOf(await client.from('shelf').update({ label: 'changed' }).eq('id', 7))
    dataOf(await client.from('shelf').delete().eq('id', 7))
    await until('three changes', () => heard.length === 3)
    same(heard, [
      ['INSERT', 'new', null],
      ['UPDATE', 'changed', 7],
      ['DELETE', null, 7],
    ])
  },
  'postgres_changes (*, whole schema)': async (platform) => {
    const client = await shelf(platform)
    const heard: unknown[] = []
    const channel = client.channel(room())
    channel.on('postgres_changes', { event: '*', schema: 'public' }, (change: Loose) =>
      heard.push([change.eventType, change.table]),
    )
    await listening(channel)
    dataOf(await client.from('shelf').insert({ id: 8 }))
    dataOf(await client.from('shelf').delete().eq('id', 8))
    await until('two changes', () => heard.length === 2)
    same(heard, [
      ['INSERT', 'shelf'],
      ['DELETE', 'shelf'],
    ])
  },
  'postgres_changes (filter)': async (platform) => {
    const client = await shelf(platform)
    const heard: unknown[] = []
    const channel = client.channel(room())
    const filters = { 'label=eq.x': 'eq', 'id=in.(1,2)': 'in', 'id=gte.3': 'gte' }
    for (const [filter, name] of Object.entries(filters))
      channel.on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'shelf', filter }, (change: Loose) =>
        heard.push([name, change.new.id]),
      )
    await listening(channel)
    dataOf(
      await client.from('shelf').insert([
        { id: 1, label: 'x' },
        { id: 2, label: 'y' },
        { id: 3, label: 'z' },
      ]),
    )
    await until('four matches', () => heard.length >= 4)
    same(heard, [
      ['eq', 1],
      ['in', 1],
      ['in', 2],
      ['gte', 3],
    ])
  },
  'broadcast (to others, not to self)': async ({ open }) => {
    const [one, two] = [await open(), await open()]
    const name = room()
    const heard: unknown[] = []
    const mine: unknown[] = []
    const [first, second] = [one.channel(name), two.channel(name)]
    first.on('broadcast', { event: 'pour' }, ({ payload }: Loose) => mine.push(payload))
    second.on('broadcast', { event: 'pour' }, ({ payload }: Loose) => heard.push(payload))
    await Promise.all([subscribed(first), subscribed(second)])
    same(await first.send({ type: 'broadcast', event: 'pour', payload: { cup: '茶' } }), 'ok')
    await until('the broadcast', () => heard.length === 1)
    same([heard, mine], [[{ cup: '茶' }], []])
  },
  'broadcast (self, ack)': async ({ open }) => {
    const channel = (await open()).channel(room(), { config: { broadcast: { self: true, ack: true } } })
    const heard: unknown[] = []
    channel.on('broadcast', { event: '*' }, ({ event, payload }: Loose) => heard.push([event, payload]))
    await subscribed(channel)
    same(await channel.send({ type: 'broadcast', event: 'e', payload: { n: 1 } }), 'ok')
    await until('the echo', () => heard.length === 1)
    same(heard, [['e', { n: 1 }]])
  },
  'broadcast before subscribe (over HTTP)': async ({ open, wx }) => {
    if (wx) throw new NotApplicable('the client asks for global fetch, which mini-programs lack')
    const [one, two] = [await open(), await open()]
    const name = room()
    const heard: unknown[] = []
    const channel = two.channel(name).on('broadcast', { event: 'e' }, ({ payload }: Loose) => heard.push(payload))
    await subscribed(channel)
    const sender = one.channel(name)
    if (typeof sender.httpSend === 'function') same((await sender.httpSend('e', { n: 1 })).success, true)
    else same(await sender.send({ type: 'broadcast', event: 'e', payload: { n: 1 } }), 'ok')
    await until('the broadcast', () => heard.length === 1)
  },
  'presence (track, presenceState, sync, join, leave, untrack)': async ({ open }) => {
    const [one, two] = [await open(), await open()]
    const name = room()
    const seen: unknown[] = []
    const [first, second] = [
      one.channel(name, { config: { presence: { key: 'one' } } }),
      two.channel(name, { config: { presence: { key: 'two' } } }),
    ]
    for (const event of ['join', 'leave']) first.on('presence', { event }, ({ key }: Loose) => seen.push([event, key]))
    let syncs = 0
    first.on('presence', { event: 'sync' }, () => {
      syncs += 1
    })
    second.on('presence', { event: 'sync' }, () => {})
    await Promise.all([subscribed(first), subscribed(second)])
    same(await first.track({ cup: 1 }), 'ok')
    same(await second.track({ cup: 2 }), 'ok')
    await until(
      'both',
      () => Object.keys(first.presenceState()).length === 2 && Object.keys(second.presenceState()).length === 2,
    )
    same(second.presenceState().one[0].cup, 1)
    same(await second.untrack(), 'ok')
    await until('the leave', () => Object.keys(first.presenceState()).length === 1)
    same([seen.some(([event, key]: Loose) => event === 'leave' && key === 'two'), syncs > 0], [true, true])
  },
  'several channels, getChannels, unsubscribe, removeChannel, removeAllChannels': async ({ open }) => {
    const client = await open()
    const channels = [room(), room(), room()].map((name) => client.channel(name))
    await Promise.all(channels.map(subscribed))
    same(client.getChannels().length, 3)
    same(await client.removeChannel(channels[0]), 'ok')
    same(await channels[1].unsubscribe(), 'ok')
    same(client.getChannels().includes(channels[2]), true)
    await client.removeAllChannels()
    same(client.getChannels().length, 0)
  },
  'a private channel without a policy is refused': async ({ open, wx }) => {
    if (wx) throw new NotApplicable('this version knows no private channels')
    const channel = (await open()).channel(room(), { config: { private: true } })
    const refused = await subscribed(channel).then(
      () => false,
      () => true,
    )
    same(refused, true)
  },
}

const AREAS: Readonly<Record<string, Area>> = {
  Reading: reads,
  Writing: writes,
  Functions: functions,
  Storage: storage,
  Realtime: realtime,
}

/** The mini-program client leaves some promises open for ever. */
const inTime = (work: Promise<void>): Promise<void> => {
  let timer: ReturnType<typeof setTimeout>
  const late = new Promise<void>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('never settled')), 20_000)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Calls everything once, in order. */
export const runChecks = async (platform: Platform): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const [area, checks] of Object.entries(AREAS)) {
    for (const [name, check] of Object.entries(checks)) {
      try {
        await inTime(check(platform))
        results.push({ area, name, outcome: 'passes', reason: '' })
      } catch (error) {
        const reason = error instanceof Error ? error.message : JSON.stringify(error)
        results.push({ area, name, outcome: error instanceof NotApplicable ? 'not applicable' : 'gap', reason })
      }
      await platform.close()
    }
  }
  return results
}
