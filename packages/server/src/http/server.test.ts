/** The HTTP server over real sockets: limits, ids, CORS, and errors in the words of the dialect that was spoken to. */
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../../conformance/support/until.ts'
import { AppError } from '../kernel/errors.ts'
import { randomIds } from '../kernel/ids.ts'
import { createLog, silentLog } from '../observe/log.ts'
import { registerHealth } from './health.ts'
import type { TimeLimits } from './limits.ts'
import { listen, urlOf } from './listen.ts'
import { createHttpServer, statusOf } from './server.ts'

interface Started {
  readonly http: FastifyInstance
  readonly port: number
  readonly url: string
  readonly log: () => readonly Record<string, unknown>[]
}

const opened: FastifyInstance[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((http) => http.close()))
})

const start = async (add: (http: FastifyInstance) => void, timeLimits: Partial<TimeLimits> = {}): Promise<Started> => {
  const lines: string[] = []
  const http = createHttpServer({
    log: createLog({ level: 'info', stream: { write: (line: string) => lines.push(line) } }),
    ids: randomIds,
    bodyLimit: 1_000,
    timeLimits,
    dialects: [
      {
        prefix: '/tea/v1',
        send: (error, _request, reply) => reply.code(statusOf(error)).send({ tea: error.message }),
      },
    ],
  })
  opened.push(http)
  add(http)
  await http.listen({ host: '127.0.0.1', port: 0 })
  const { port } = http.server.address() as AddressInfo
  return { http, port, url: `http://127.0.0.1:${port}`, log: () => lines.map((line) => JSON.parse(line)) }
}

const nothing = () => {}
const echo = (http: FastifyInstance) => {
  http.post('/echo', async (request) => ({ got: request.body }))
  http.post('/tea/v1/echo', async (request) => ({ got: request.body }))
}

/** Sends bytes as they are and answers what came back until the server closed. */
const raw = async (port: number, bytes: string): Promise<string> => {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', nothing)
  socket.write(bytes)
  return text(socket)
}

describe('an address that does not exist', () => {
  it('is a 404 with an id, readable across origins', async () => {
    const { url } = await start(nothing)
    const response = await fetch(`${url}/nowhere?apikey=secret`, { headers: { origin: 'https://shop.example' } })
    expect(response.status).toBe(404)
    expect(response.headers.get('sb-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(await response.json()).toEqual({ statusCode: 404, message: 'There is nothing at this address.' })
  })

  it('is told in the words of its dialect', async () => {
    const { url } = await start(nothing)
    const bodies = await Promise.all(
      ['/tea/v1', '/tea/v1/x', '/tea/v12'].map(async (path) => (await fetch(url + path)).json()),
    )
    expect(bodies.map((body) => Object.keys(Object(body))[0])).toEqual(['tea', 'tea', 'statusCode'])
  })
})

describe('a request that cannot be understood', () => {
  it('is a 400 when its URL cannot be decoded, with id and CORS', async () => {
    const { port } = await start(nothing)
    const answer = await raw(port, 'GET /tea/v1/%E0%A4%A HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).toMatch(/sb-request-id: [0-9a-f-]{36}/)
    expect(answer).toContain('access-control-allow-origin: *')
    expect(answer).toContain('{"tea":')
  })

  it('is a 400 when it is not HTTP at all', async () => {
    const { port } = await start(nothing)
    expect(await raw(port, 'BREW /pot HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
    expect(await raw(port, '\x16\x03\x01\x02\x00')).toMatch(/^HTTP\/1.1 400 /)
  })

  it('is a 400 when length and chunks contradict each other', async () => {
    const { port } = await start(echo)
    const smuggled =
      'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n'
    expect(await raw(port, smuggled)).toMatch(/^HTTP\/1.1 400 /)
  })

  it('is a 431 when its headers are larger than 64 KiB, and served below', async () => {
    const { url } = await start(nothing)
    expect((await fetch(`${url}/x?ids=${'a'.repeat(60_000)}`)).status).toBe(404)
    expect((await fetch(`${url}/x?ids=${'a'.repeat(70_000)}`)).status).toBe(431)
  })

  it('is a 404 when the address exists and the method does not', async () => {
    const { url } = await start(echo)
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'TRACE']) {
      const status = await new Promise((resolve, reject) =>
        httpRequest(`${url}/echo`, { method }, (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .end(),
      )
      expect([method, status]).toEqual([method, 404])
    }
  })

  it('is a 4xx when its body is too large, of an unknown type, broken, or tries to reach a prototype', async () => {
    const { url } = await start(echo)
    const json = { 'content-type': 'application/json' }
    const statusFor = async (body: string, headers: Record<string, string>) =>
      (await fetch(`${url}/tea/v1/echo`, { method: 'POST', headers, body })).status
    expect(await statusFor(JSON.stringify('a'.repeat(2_000)), json)).toBe(413)
    expect(await statusFor('<a/>', { 'content-type': 'application/xml' })).toBe(415)
    expect(await statusFor('{"a":', json)).toBe(400)
    expect(await statusFor('{"__proto__":{"admin":true}}', json)).toBe(400)
    expect(await statusFor('{"constructor":{"prototype":{"admin":true}}}', json)).toBe(400)
    expect(await statusFor('{"a":1}', json)).toBe(200)
  })

  it('is a 413 when chunks without a length grow too large', async () => {
    const { url } = await start(echo)
    const endless = httpRequest(`${url}/echo`, { method: 'POST', headers: { 'content-type': 'application/json' } })
    endless.on('error', nothing)
    const status = new Promise((resolve) => endless.on('response', (response) => resolve(response.resume().statusCode)))
    const feed = setInterval(() => endless.write('a'.repeat(600)), 5)
    expect(await status).toBe(413)
    clearInterval(feed)
    endless.destroy()
    expect(
      (await fetch(`${url}/echo`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '1' }))
        .status,
    ).toBe(200)
  })
})

describe('a slow client', () => {
  it('is answered 408 when its body stops arriving', async () => {
    const { port } = await start(echo, { bodyPause: 60 })
    const answer = await raw(
      port,
      'POST /tea/v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"a":',
    )
    expect(answer).toMatch(/^HTTP\/1.1 408 /)
    expect(answer).toContain('{"tea":"The body of the request did not arrive in time."}')
  })

  it('may take its time as long as something arrives', async () => {
    const { port } = await start(echo, { bodyPause: 250 })
    const socket = connect(port, '127.0.0.1')
    socket.write(
      'POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n',
    )
    let sent = 0
    const drip = setInterval(() => {
      socket.write('"aaaaaaaaaa"'[sent] ?? '')
      sent += 1
      if (sent === 12) clearInterval(drip)
    }, 40)
    expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /)
  })

  it('does not make a slow answer late, nor the next request on its socket', async () => {
    const { port } = await start(
      (http) => {
        http.post('/slow', async () => {
          await new Promise((resolve) => setTimeout(resolve, 150))
          return { done: true }
        })
      },
      { bodyPause: 50 },
    )
    const post = 'POST /slow HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n'
    const answer = await raw(port, `${post}\r\n{}${post}connection: close\r\n\r\n{}`)
    expect(answer.match(/HTTP\/1.1 200 /g)).toHaveLength(2)
  })
})

describe('CORS', () => {
  const add = (http: FastifyInstance) => {
    http.options('/things', async (_request, reply) => reply.header('allow', 'GET,POST').send())
    http.get('/things', async () => [])
  }

  it('answers a preflight for any address, method and header, before anyone asks for a key', async () => {
    const { url } = await start((http) => {
      http.addHook('onRequest', async () => {
        throw new AppError('unauthorized', 'no key')
      })
    })
    const response = await fetch(`${url}/rest/v1/things`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://shop.example',
        'access-control-request-method': 'PATCH',
        'access-control-request-headers': 'apikey,authorization,x-my-own',
      },
    })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-methods')).toContain('PATCH')
    expect(response.headers.get('access-control-allow-headers')).toContain('x-my-own')
    expect(response.headers.get('access-control-max-age')).toBe('86400')
  })

  it('lets an OPTIONS request that is no preflight reach its route', async () => {
    const { url } = await start(add)
    const response = await fetch(`${url}/things`, { method: 'OPTIONS' })
    expect(response.status).toBe(200)
    expect(response.headers.get('allow')).toBe('GET,POST')
    expect((await fetch(`${url}/nowhere`, { method: 'OPTIONS' })).status).toBe(404)
  })

  it('shows scripts the headers that clients read', async () => {
    const { url } = await start(add)
    const response = await fetch(`${url}/things`, { headers: { origin: 'https://shop.example' } })
    expect(response.headers.get('access-control-expose-headers')).toContain('content-range')
  })
})

describe('a failure of our own', () => {
  it('tells the client an id, and the log the reason under the same id', async () => {
    const { url, log } = await start((http) => {
      http.get('/broken', async () => {
        throw new Error('relation "secret_table" does not exist')
      })
    })
    const response = await fetch(`${url}/broken?token=hunter2`)
    const id = response.headers.get('sb-request-id')
    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({ statusCode: 500, message: `Something went wrong here. Id: ${id}` })
    const line = log().find((each) => each.reqId === id)
    expect(line).toMatchObject({ level: 50, error: { message: 'relation "secret_table" does not exist' } })
    expect(JSON.stringify(log())).not.toContain('hunter2')
  })

  it('becomes the status of its code, with a time to retry where there is one', async () => {
    const { url } = await start((http) => {
      http.get('/away', async () => {
        throw new AppError('unavailable', 'The database cannot be reached right now.', { retryAfter: 1 })
      })
    })
    const response = await fetch(`${url}/away`)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
  })

  it('takes a status from nobody who makes one up', () => {
    expect(statusOf(Object.assign(new Error(), { statusCode: 200 }))).toBe(500)
    expect(statusOf(Object.assign(new Error(), { statusCode: 418 }))).toBe(418)
    expect(statusOf(new Error())).toBe(500)
  })
})

describe('the health of the server', () => {
  it('is ok while the check passes, and 503 with a time to retry while it does not', async () => {
    let away = false
    const { url } = await start((http) =>
      registerHealth(http, {
        check: async () => {
          if (away) throw new Error('no connection')
        },
        loaded: () => true,
      }),
    )
    const fine = await fetch(`${url}/health`)
    expect([fine.status, await fine.json()]).toEqual([200, { status: 'ok' }])
    away = true
    const ill = await fetch(`${url}/health`)
    expect([ill.status, ill.headers.get('retry-after')]).toEqual([503, '1'])
    expect((await fetch(`${url}/health`, { method: 'HEAD' })).status).toBe(503)
  })

  it('is told by a status alone at /live and /ready, the latter once the schema is known', async () => {
    let known = false
    const { url } = await start((http) =>
      registerHealth(http, {
        check: async () => {},
        loaded: () => {
          if (!known) throw new Error('not yet')
        },
      }),
    )
    const ask = async (path: string) => {
      const answer = await fetch(url + path)
      return [answer.status, await answer.text()]
    }
    expect(await ask('/live')).toEqual([200, ''])
    expect(await ask('/ready')).toEqual([503, ''])
    known = true
    expect(await ask('/ready')).toEqual([200, ''])
  })
})

describe('a server that stops', () => {
  const slow = (release: Promise<void>) => (http: FastifyInstance) => {
    http.get('/slow', async () => {
      await release
      return { done: true }
    })
  }
  const connectionsOf = (http: FastifyInstance) =>
    new Promise<number>((resolve) => http.server.getConnections((_error, count) => resolve(count)))

  it('answers what is under way and drops idle connections', async () => {
    let release = nothing
    const { http, url, port } = await start(slow(new Promise<void>((resolve) => (release = resolve))))
    const idle: Socket = connect(port, '127.0.0.1')
    const idleEnded = once(idle, 'close')
    idle.on('error', nothing).resume()
    const answer = fetch(`${url}/slow`)
    await until('both are connected', async () => (await connectionsOf(http)) === 2)
    const closed = http.close()
    await idleEnded
    release()
    expect(await (await answer).json()).toEqual({ done: true })
    await closed
    await expect(fetch(`${url}/slow`)).rejects.toThrow()
  })

  it('does not wait longer than it was told', async () => {
    const { http, url } = await start(slow(new Promise(nothing)), { drain: 50 })
    const answer = fetch(`${url}/slow`).then(
      () => 'answered',
      () => 'cut off',
    )
    await until('it is connected', async () => (await connectionsOf(http)) === 1)
    await http.close()
    expect(await answer).toBe('cut off')
  })
})

describe('the port', () => {
  it('is refused in one line when another program has it, and when the address is not of this machine', async () => {
    const { port } = await start(nothing)
    const other = createHttpServer({ log: silentLog, ids: randomIds, bodyLimit: 1, dialects: [] })
    opened.push(other)
    await expect(listen(other, { host: '127.0.0.1', port })).rejects.toThrow(
      `port ${port} of 127.0.0.1 is in use; choose another with --port`,
    )
    await expect(listen(other, { host: '192.0.2.1', port: 0 })).rejects.toThrow(
      '192.0.2.1 is no address of this machine',
    )
  })

  it('is shown with an address that people can open', () => {
    expect(urlOf('0.0.0.0', 1)).toBe('http://127.0.0.1:1')
    expect(urlOf('::', 1)).toBe('http://127.0.0.1:1')
    expect(urlOf('::1', 1)).toBe('http://[::1]:1')
    expect(urlOf('tea.example', 1)).toBe('http://tea.example:1')
  })
})
