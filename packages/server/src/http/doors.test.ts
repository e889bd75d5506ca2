/** What is looked at before any route: the cost of requests, and service keys in the wrong hands. */
import fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { AppError } from '../kernel/errors.ts'
import { silentLog } from '../observe/log.ts'
import { limitRequestCost } from './request-cost.ts'
import { createServiceKeyGuard } from './service-key-guard.ts'

const caller = (role: string) => ({ role, userId: null, claims: {}, claimsText: '{}', expiresAt: null })

describe('the cost of requests', () => {
  const open = async (points: number | null = 10) => {
    const app = fastify({ trustProxy: ['127.0.0.1'] })
    app.setErrorHandler<Error>((error, _request, reply) => {
      if (error instanceof AppError && error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
      return reply.code(error instanceof AppError && error.code === 'rate_limited' ? 429 : 500).send({})
    })
    app.addHook('onRequest', limitRequestCost({ points, seconds: 60 }))
    app.all('/', async () => 'in')
    return (from: string | null, method: 'GET' | 'POST' = 'GET', payload?: string) =>
      app.inject({
        method,
        url: '/',
        headers: {
          host: '127.0.0.1',
          'content-type': 'text/plain',
          ...(from === null ? {} : { 'x-forwarded-for': from }),
        },
        ...(payload === undefined ? {} : { payload }),
      })
  }

  it('is a budget for each network address, and an answer that says when there is more', async () => {
    const ask = await open()
    for (let index = 0; index < 10; index += 1) expect((await ask('203.0.113.1')).statusCode).toBe(200)
    const over = await ask('203.0.113.1')
    expect(over.statusCode).toBe(429)
    expect(Number(over.headers['retry-after'])).toBeGreaterThan(0)
    expect((await ask('203.0.113.2')).statusCode).toBe(200)
  })

  it('is higher for writes and for much', async () => {
    const ask = await open()
    for (let index = 0; index < 5; index += 1) expect((await ask('203.0.113.1', 'POST', '{}')).statusCode).toBe(200)
    expect((await ask('203.0.113.1', 'POST', '{}')).statusCode).toBe(429)
    expect((await ask('203.0.113.3', 'POST', JSON.stringify('x'.repeat(600_000)))).statusCode).toBe(200)
    expect((await ask('203.0.113.3')).statusCode).toBe(429)
  })

  it('lets a request go on once, and only when those who look at it next have looked', async () => {
    const app = fastify({ trustProxy: ['127.0.0.1'] })
    const order: string[] = []
    app.addHook('onRequest', limitRequestCost({ points: 10, seconds: 60 }))
    app.addHook('onRequest', async () => {
      order.push('looking')
      await new Promise((resolve) => setImmediate(resolve))
      order.push('looked')
    })
    app.get('/', async () => order.push('in'))
    const headers = { host: 'tea.example', 'x-forwarded-for': '203.0.113.9' }
    expect((await app.inject({ url: '/', headers })).statusCode).toBe(200)
    expect(order).toEqual(['looking', 'looked', 'in'])
  })

  it('is nothing for this very machine, and nothing to anybody where the operator wants no limit', async () => {
    const free = await open(null)
    for (let index = 0; index < 30; index += 1) expect((await free('203.0.113.1')).statusCode).toBe(200)
    const ask = await open()
    for (let index = 0; index < 30; index += 1) expect((await ask(null)).statusCode).toBe(200)
  })
})

describe('a service key', () => {
  const guarded = (role: string, headers: Record<string, string>) => {
    const warned: object[] = []
    const log = Object.assign(Object.create(silentLog), { warn: (fields: object) => warned.push(fields) })
    const guard = createServiceKeyGuard({ log, clock: { now: () => 0, after: () => () => {} } })
    try {
      guard({ caller: caller(role), headers })
      return [warned, 'in']
    } catch (error) {
      return [warned, (error as AppError).reason]
    }
  }

  it('is refused in a mini-program, and noticed in a browser', () => {
    const referer = 'https://servicewechat.com/wx123/devtools/page-frame.html'
    expect(guarded('service_role', { referer })).toEqual([[{ where: 'mini-program' }], 'service_key_in_client'])
    expect(guarded('service_role', { 'user-agent': 'Mozilla/5.0 MicroMessenger/8.0 miniProgram/wx1' })[1]).toBe(
      'service_key_in_client',
    )
    expect(guarded('service_role', { origin: 'https://app.example.com' })).toEqual([[{ where: 'browser' }], 'in'])
    expect(guarded('service_role', { 'user-agent': 'node' })).toEqual([[], 'in'])
    expect(guarded('anon', { referer })).toEqual([[], 'in'])
  })
})
