/** What may be written down, for whatever is nested in whatever: no depth, no width and no spelling lets a secret through. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AppError } from '../kernel/errors.ts'
import { createLog } from './log.ts'

const runs = { numRuns: process.env.TEAHOUSE_SOAK === '1' ? 20_000 : 400, seed: 5 }

/** Would be found wherever it came out, and looks like nothing by itself: only its name gives it away. */
const MARK = 'hunter2'
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.aHVudGVyMg'

const NAMES = [
  'password',
  'Password',
  'new_password',
  'token',
  'access_token',
  'refreshToken',
  'provider_refresh_token',
  'session_key',
  'sessionKey',
  'appSecret',
  'client_secret',
  'authorization',
  'apikey',
  'api-key',
  'js_code',
  'code',
  'otp',
  'phone',
  'phoneNumber',
  'phone_number',
  'mobile',
  'set-cookie',
  'serviceKey',
  'secret_key',
  'private_key',
]

/** A value that ends in a secret: under one of the names, or as text that shows what it is. */
const secret = fc.oneof(
  fc
    .tuple(fc.constantFrom(...NAMES), fc.constantFrom(MARK, [MARK], { deeper: MARK }))
    .map(([name, value]) => ({ [name]: value })),
  fc.constantFrom(
    `got ${JWT}`,
    `Authorization: Bearer ${MARK}`,
    `sb_secret_${MARK}`,
    `postgresql://me:${MARK}@db/x`,
    `/callback?code=${MARK}&state=1`,
    `{"refresh_token=${MARK}`,
    `https://x.example/?apikey=${MARK}#y`,
  ),
)

const around = (inner: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof(
    inner.map((value) => [1, value, null]),
    fc.tuple(fc.string({ maxLength: 8 }), inner).map(([name, value]) => ({ a: 1, [`x${name}`]: value })),
    inner.map((value) => new Error(`no ${typeof value === 'string' ? value : 'good'}`, { cause: value })),
    inner.map((value) => new AppError('internal', 'ours', { cause: value, details: MARK })),
    inner.map((value) => [...Array.from({ length: 30 }, (_, index) => index), value]),
    inner.map((value) => ({
      ...Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`k${index}`, 'x'])),
      value,
    })),
  )

const nested = fc.nat({ max: 9 }).chain((depth) => {
  let value: fc.Arbitrary<unknown> = secret
  for (let level = 0; level < depth; level += 1) value = around(value)
  return value
})

describe('a secret', () => {
  it('is in no line of the log, however deep or wide it was hidden', () => {
    const lines: string[] = []
    const stream = { write: (text: string) => lines.push(text), isTTY: false }
    const people = { ...stream, isTTY: true }
    const logs = [createLog({ level: 'debug', stream }), createLog({ level: 'debug', stream: people })]
    fc.assert(
      fc.property(nested, (value) => {
        lines.length = 0
        for (const log of logs) {
          log.info({ value }, 'x')
          log.child({ bound: value }).warn({}, 'y')
        }
        expect(lines.length).toBe(4)
        expect(lines.join('')).not.toContain(MARK)
        expect(lines.join('')).not.toContain('eyJzdWIi')
      }),
      runs,
    )
  })

  it('costs a line no more than a thousand values, however wide every level is', () => {
    const lines: string[] = []
    const log = createLog({ level: 'debug', stream: { write: (text: string) => lines.push(text), isTTY: false } })
    let value: unknown = { password: MARK }
    for (let level = 0; level < 5; level += 1) value = Array.from({ length: 60 }, () => value)
    const began = performance.now()
    log.error({ value }, 'x')
    expect(performance.now() - began).toBeLessThan(200)
    expect(lines[0]?.length).toBeLessThan(20_000)
    expect(lines[0]).not.toContain(MARK)
  })
})
