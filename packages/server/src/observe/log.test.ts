/** No secret of a request or of an error reaches a line, whatever road it takes. */
import { describe, expect, it } from 'vitest'
import { AppError } from '../kernel/errors.ts'
import { createLog, pathOf } from './log.ts'

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl'
const SECRETS = [TOKEN, 'sb_secret_abcdef123456', 'hunter2', '0123js', '13800138000']

const capture = (isTTY = false) => {
  const lines: string[] = []
  const log = createLog({ level: 'debug', stream: { write: (text: string) => lines.push(text), isTTY } })
  return {
    log,
    text: () => lines.join(''),
    lines: () => lines.map((line): Record<string, unknown> => JSON.parse(line)),
  }
}

const clean = (text: string) => {
  for (const secret of SECRETS) expect(text).not.toContain(secret)
}

describe('the log', () => {
  it('is one JSON line per event', () => {
    const { log, lines } = capture()
    log.info({ a: 1 }, 'first')
    log.child({ reqId: 'r1' }).warn({ b: { c: [true, null] } }, 'second')
    expect(lines()).toMatchObject([
      { level: 30, a: 1, msg: 'first' },
      { level: 40, reqId: 'r1', b: { c: [true, null] }, msg: 'second' },
    ])
  })

  it('redacts fields by their name, at any depth and in any spelling', () => {
    const { log, text, lines } = capture()
    const headers = {
      Authorization: `Bearer ${TOKEN}`,
      apikey: 'sb_secret_abcdef123456',
      cookie: 'hunter2',
      accept: '*/*',
    }
    log.warn(
      {
        a: { b: { headers } },
        password: 'hunter2',
        jwtSecret: 'hunter2',
        js_code: '0123js',
        users: [{ phone: '13800138000' }],
      },
      'x',
    )
    clean(text())
    expect(lines()[0]).toMatchObject({ a: { b: { headers: { accept: '*/*', apikey: '[redacted]' } } } })
  })

  it('redacts what looks like a secret in any text', () => {
    const { log, text } = capture()
    log.info(
      { url: `/x?apikey=${TOKEN}&vsn=1`, note: `got ${TOKEN}.` },
      `connecting to postgresql://me:hunter2@db/x with Bearer hunter2`,
    )
    log.info({}, 'GET /login?code=0123js&x=1 sb_secret_abcdef123456')
    clean(text())
    expect(text()).toContain('vsn=1')
    expect(text()).toContain('postgresql://me:[redacted]@db/x')
  })

  it('tells what failed and where, but not the data that it was about', () => {
    const { log, text, lines } = capture()
    const cause = Object.assign(new Error('duplicate key value'), {
      code: '23505',
      constraint: 'users_phone_key',
      detail: 'Key (phone)=(13800138000) already exists.',
      where: 'insert into auth.users values (hunter2)',
    })
    log.error(
      { error: new AppError('internal', `failed for ${TOKEN}`, { cause, details: 'hunter2' }) },
      'request failed',
    )
    clean(text())
    expect(lines()[0]).toMatchObject({
      error: { type: 'AppError', code: 'internal', cause: { code: '23505', constraint: 'users_phone_key' } },
    })
    expect(text()).toContain('log.test.ts')
  })

  it('keeps errors clean that are logged bare, or under the HTTP server’s own name', () => {
    const { log, text } = capture()
    const error = Object.assign(new Error(`no ${TOKEN}`), {
      rawPacket: Buffer.from('hunter2'),
      config: { secret: 'hunter2' },
    })
    log.error(error)
    log.error({ err: error }, error.message)
    log.error(new AggregateError([error], 'many'))
    clean(text())
  })

  it('writes no object whole that it does not know', () => {
    const { log, text, lines } = capture()
    class Request {
      headers = { authorization: TOKEN }
      body = 'hunter2'
    }
    const circle: Record<string, unknown> = { bytes: Buffer.from('hunter2'), request: new Request() }
    circle.self = circle
    log.info({ req: new Request(), res: new Request(), circle }, 'x')
    clean(text())
    expect(lines()[0]).toMatchObject({ req: '[Request]', circle: { bytes: '[Buffer]' } })
  })

  it('cuts text that is too long, quickly', () => {
    const { log, text } = capture()
    const began = performance.now()
    log.info({ text: 'a'.repeat(1_000_000), other: 'x:/'.repeat(300_000) }, 'x')
    expect(text().length).toBeLessThan(50_000)
    expect(performance.now() - began).toBeLessThan(500)
  })

  it('is readable on a terminal, and as clean there', () => {
    const { log, text } = capture(true)
    log.warn({ table: 'public.a', error: new Error(`no ${TOKEN}`) }, 'careful')
    clean(text())
    expect(text()).toMatch(/^warn {2}careful table=public\.a error=\{.*\}\n {6}Error: no /)
  })

  it('leaves the query of a URL out', () => {
    expect(pathOf('/rest/v1/x?apikey=1')).toBe('/rest/v1/x')
    expect(pathOf('')).toBe('')
  })
})
