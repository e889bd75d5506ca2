/** The small things that everything stands on. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from './clock.ts'
import { AppError, assertNever, toError } from './errors.ts'
import { randomIds } from './ids.ts'
import { isObject, parseJson } from './json.ts'
import { singleFlight } from './single-flight.ts'

describe('errors', () => {
  it('carry a code, and keep their cause', () => {
    const cause = new Error('below')
    const error = new AppError('unavailable', 'gone', { cause, retryAfter: 1, reason: 'why', details: 'd', hint: 'h' })
    expect(error).toMatchObject({
      name: 'AppError',
      code: 'unavailable',
      retryAfter: 1,
      reason: 'why',
      details: 'd',
      hint: 'h',
      cause,
    })
    expect(error).toBeInstanceOf(Error)
    expect('cause' in new AppError('internal', 'x')).toBe(false)
  })

  it('are made of whatever was thrown', () => {
    const error = new Error('as it is')
    expect(toError(error)).toBe(error)
    expect(toError('text')).toMatchObject({ message: 'text', cause: 'text' })
    expect(toError(undefined).message).toBe('undefined')
  })

  it('end a switch that forgot a case', () => {
    // Reached only when a type lied.
    expect(() => assertNever('surprise' as never)).toThrow(AppError)
  })
})

describe('JSON', () => {
  it('is undefined when it is none, and never an exception', () => {
    expect(parseJson('{"a":[1,null]}')).toEqual({ a: [1, null] })
    for (const text of ['', '{', 'undefined', "{'a':1}", '\ufeff{}']) expect(parseJson(text)).toBe(undefined)
  })

  it('keeps __proto__ a plain key', () => {
    const value = parseJson('{"__proto__":{"admin":true}}')
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(isObject(value) && 'admin' in value).toBe(false)
  })

  it('tells objects from everything else', () => {
    expect(isObject({})).toBe(true)
    for (const value of [null, [], 'a', 1, undefined, true]) expect(isObject(value)).toBe(false)
  })
})

describe('ids', () => {
  it('are different every time, and safe in a URL', () => {
    expect(randomIds.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/)
    expect(randomIds.uuid()).not.toBe(randomIds.uuid())
    expect(randomIds.secret(32)).toMatch(/^[\w-]{43}$/)
  })
})

describe('single flight', () => {
  it('runs once for all who ask meanwhile, and anew afterwards', async () => {
    let runs = 0
    const work = singleFlight(async () => {
      runs += 1
      return runs
    })
    expect(await Promise.all([work(), work(), work()])).toEqual([1, 1, 1])
    expect(await work()).toBe(2)
  })

  it('shares a failure too, and tries again afterwards', async () => {
    let fail = true
    const work = singleFlight(async () => {
      if (fail) throw new Error('once')
      return 'fine'
    })
    const both = await Promise.allSettled([work(), work()])
    expect(both.map((each) => each.status)).toEqual(['rejected', 'rejected'])
    fail = false
    expect(await work()).toBe('fine')
  })
})

describe('the system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('calls back once, unless that was cancelled', () => {
    const called: string[] = []
    systemClock.after(50, () => called.push('kept'))
    const cancel = systemClock.after(50, () => called.push('cancelled'))
    cancel()
    vi.advanceTimersByTime(200)
    expect(called).toEqual(['kept'])
    expect(systemClock.now()).toBe(1_200)
  })
})
