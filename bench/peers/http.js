/** Bare HTTP routes over the same database: what a careful programmer would get without a product, one technique per path. */
import { createServer } from 'node:http'
import pg from 'pg'
import { WebSocketServer } from 'ws'
import { serve } from '../lib/child.js'
import { oneSync } from './one-sync.js'
import { leanBatch, sameBatch, USUAL } from './rest-statements.js'

/** As many as the product has. */
const CONNECTIONS = 10

const BODY = 2

/** begin, set_config, query, commit on the pool, rows serialised here: the usual way. */
const usual = async (pool, shape, { claims, id, room, json }) => {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query("select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)", [
      'authenticated',
      claims,
    ])
    const parsed = shape === 'insert' ? JSON.parse(json) : null
    const values = shape === 'get' ? [id] : shape === 'list' ? [room, 20] : [parsed.room, parsed.body]
    const { rows } = await client.query(USUAL[shape], values)
    await client.query('commit')
    return shape === 'insert' ? '' : JSON.stringify(rows)
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

const batched = (batchOf) => async (pool, shape, request) => (await oneSync(pool, batchOf(shape, request))).at(-1)[BODY]

const WAYS = { same: batched(sameBatch), lean: batched(leanBatch), usual }

const bodyOf = async (request) => {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString()
}

const answer = (response, status, text) => {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

const LIVE = "insert into live_messages (room, body) values (($1::json->>'room')::int, $1::json->>'body')"

/** Inserts and tells every socket in the same breath: no change capture, no policy. */
const tell = async (pool, sockets, claims, json) => {
  const settings = leanBatch('insert', { claims, json })[0]
  await oneSync(pool, [settings, { name: 'live', text: LIVE, values: [json] }])
  for (const client of sockets.clients) client.send(json)
}

const routes = (pool, sockets) => async (request, response) => {
  try {
    const [, way, shape, value] = request.url.split('/')
    const claims = request.headers['x-claims']
    const json = request.method === 'POST' ? await bodyOf(request) : ''
    if (way === 'live') await tell(pool, sockets, claims, json)
    const body = WAYS[way] ? await WAYS[way](pool, shape, { claims, id: value, room: value, json }) : '[]'
    answer(response, request.method === 'POST' ? 201 : 200, body)
  } catch (error) {
    answer(response, 500, JSON.stringify({ message: String(error) }))
  }
}

serve({
  async start({ connection }) {
    const pool = new pg.Pool({ ...connection, max: CONNECTIONS })
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
    const server = createServer((request, response) => void routes(pool, sockets)(request, response))
    server.on('upgrade', (request, socket, first) => {
      sockets.handleUpgrade(request, socket, first, (client) => sockets.emit('connection', client, request))
    })
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${server.address().port}`
  },
})
