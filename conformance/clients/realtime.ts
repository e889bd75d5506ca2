/** Changes, broadcasts and presence. */
import { type Area, dataOf, type Loose, NotApplicable, same, shelf, until } from './tools.ts'

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

export const realtime: Area = {
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
  'everything in one channel (changes with filters, broadcast, presence, bytes)': async (platform) => {
    const [one, two] = [await shelf(platform), await platform.open()]
    const name = room()
    const heard: string[] = []
    const listen = (client: Loose, who: string): Loose =>
      client
        .channel(name, { config: { broadcast: { ack: true, self: true }, presence: { key: who } } })
        .on('postgres_changes', { event: '*', schema: 'public', table: 'shelf' }, (change: Loose) =>
          heard.push(`${who} any ${change.eventType} ${change.new.id ?? change.old.id}`),
        )
        .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'shelf', filter: 'label=eq.x' }, () =>
          heard.push(`${who} filtered`),
        )
        .on('broadcast', { event: '*' }, ({ event, payload }: Loose) => heard.push(`${who} ${event} ${payload.n}`))
        .on('presence', { event: 'join' }, ({ key }: Loose) => heard.push(`${who} joined by ${key}`))
        .on('presence', { event: 'leave' }, ({ key }: Loose) => heard.push(`${who} left by ${key}`))
    const [first, second] = [listen(one, 'one'), listen(two, 'two')]
    await Promise.all([listening(first), listening(second)])
    same(await first.track({ cup: 1 }), 'ok')
    same(await second.track({ cup: 2 }), 'ok')
    same(await first.send({ type: 'broadcast', event: 'pour', payload: { n: 1 } }), 'ok')
    dataOf(await one.from('shelf').insert({ id: 1, label: 'x' }))
    dataOf(await one.from('shelf').update({ label: 'y' }).eq('id', 1))
    dataOf(await one.from('shelf').delete().eq('id', 1))
    await until('both in the state of both', () =>
      [first, second].every((channel) => Object.keys(channel.presenceState()).length === 2),
    )
    same(await second.untrack(), 'ok')
    for (const who of ['one', 'two']) {
      const expected = [
        `any INSERT 1`,
        'filtered',
        'any UPDATE 1',
        'any DELETE 1',
        'pour 1',
        'joined by one',
        'left by two',
      ]
      for (const each of expected) await until(`${who} ${each}`, () => heard.includes(`${who} ${each}`))
      same(heard.filter((each) => each === `${who} filtered`).length, 1)
    }
  },
  'a private channel with policies (broadcast, presence, replay, realtime.send and broadcast_changes from SQL)':
    async ({ open, wx }) => {
      if (wx) throw new NotApplicable('this version knows no private channels')
      const [one, two] = [await open(), await open()]
      const name = `lounge-${room()}`
      const heard: unknown[] = []
      const since = Date.now() - 60_000
      const join = async (client: Loose, topic: string, broadcast: object, events: unknown[]): Promise<Loose> => {
        const channel = client.channel(topic, { config: { private: true, broadcast } })
        channel.on('broadcast', { event: '*' }, ({ event, payload, meta }: Loose) =>
          events.push([event, payload.n ?? payload.record?.label ?? null, meta?.replayed === true]),
        )
        channel.on('presence', { event: 'sync' }, () => {})
        await subscribed(channel)
        return channel
      }
      const first = await join(one, name, { ack: true }, heard)
      const second = await join(two, name, { ack: true }, [])
      same(await second.send({ type: 'broadcast', event: 'pour', payload: { n: 1 } }), 'ok')
      dataOf(await two.rpc('announce', { room: name, n: 2 }))
      await until('both messages', () => heard.length === 2)
      same(heard, [
        ['pour', 1, false],
        ['announced', 2, false],
      ])
      same(await second.track({ cup: 1 }), 'ok')
      await until('the presence', () => Object.keys(first.presenceState()).length === 1)
      const late: unknown[] = []
      await join(await open(), name, { replay: { since, limit: 5 } }, late)
      await until('what was stored', () => late.length === 1)
      same(late, [['announced', 2, true]])
      const told: unknown[] = []
      await join(one, 'lounge-ledger', {}, told)
      const id = Math.floor(Math.random() * 1e9)
      dataOf(await two.from('ledger').insert({ id, label: 'new' }))
      await until('the row', () => told.length === 1)
      same(told, [['INSERT', 'new', false]])
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
