/** A server that is killed: its clients come back by themselves and have everything that was told to be stored, at least by reading again. */
import { createServer } from 'node:net'
import type { WebSocketLikeConstructor } from '@supabase/realtime-js'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts'
import { until } from '../support/until.ts'

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })

describe('a server that is killed', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let server: TestServer
  let client: SupabaseClient
  let port: number

  const start = async () => {
    server = await startServer({ dataDir: folder.path, args: ['--port', String(port)] })
  }

  const insert = async (from: number, to: number) => {
    const database = new pg.Client({ connectionString: server.report.databaseUrl ?? '' })
    await database.connect()
    for (let id = from; id <= to; id++) await database.query('insert into public.message values ($1)', [id])
    await database.end()
  }

  beforeAll(async () => {
    folder = await temporaryFolder()
    port = await freePort()
    await start()
    const database = new pg.Client({ connectionString: server.report.databaseUrl ?? '' })
    await database.connect()
    await database.query('create table public.message (id int primary key)')
    await database.query('alter publication supabase_realtime add table public.message')
    await database.end()
    const transport = WebSocket as unknown as WebSocketLikeConstructor
    client = createClient(server.report.url, server.report.anonKey ?? '', {
      realtime: { transport },
      auth: { persistSession: false },
    })
  })

  afterAll(async () => {
    await client.realtime.disconnect()
    await server.stop()
    await folder.remove()
  })

  it('is joined again by its clients, which then hear what is new', async () => {
    const live: number[] = []
    let subscribed = 0
    client
      .channel('room')
      .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'message' }, ({ new: row }) =>
        live.push(Number((row as { id: number }).id)),
      )
      .subscribe((status) => {
        if (status === 'SUBSCRIBED') subscribed++
      })
    await until('the first join', () => subscribed === 1, { within: 30_000 })
    await insert(1, 20)
    await until('twenty changes', () => live.length === 20, { within: 30_000 })
    await server.kill9()
    await start()
    await until('the second join', () => subscribed >= 2, { within: 30_000 })
    await insert(21, 40)
    await until('the newest change', () => live.includes(40), { within: 30_000 })
    // Nothing twice, nothing out of order, and nothing missing of what committed after the join.
    expect(live).toEqual([...new Set(live)].sort((a, b) => a - b))
    expect(live.filter((id) => id > 20)).toEqual(Array.from({ length: 20 }, (_, index) => index + 21))
  }, 120_000)
})
