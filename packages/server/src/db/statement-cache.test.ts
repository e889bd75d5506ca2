/** When a statement is prepared, which one makes room, and what must be closed on the server. */
import { describe, expect, it } from 'vitest'
import { StatementCache } from './statement-cache.ts'

const twice = (cache: StatementCache, key: string, text: string) => {
  cache.plan(key, text)
  return cache.plan(key, text)
}

describe('the statement cache', () => {
  it('prepares a text when it comes for the second time, and knows it from the third', () => {
    const cache = new StatementCache()
    expect(cache.plan('anon', 'select 1')).toEqual({ name: '', parse: true })
    expect(cache.plan('anon', 'select 1')).toEqual({ name: 't1', parse: true })
    expect(cache.plan('anon', 'select 1')).toEqual({ name: 't1', parse: false })
  })

  it('keeps the plans of two roles apart', () => {
    const cache = new StatementCache()
    const anon = twice(cache, 'anon', 'select 1')
    expect(cache.plan('authenticated', 'select 1')).toEqual({ name: '', parse: true })
    expect(cache.plan('authenticated', 'select 1').name).not.toBe(anon.name)
  })

  it('cannot take one key and text for another', () => {
    const cache = new StatementCache()
    twice(cache, 'a', 'b\nc')
    expect(cache.plan('a\nb', 'c').parse).toBe(true)
  })

  it('keeps a bounded number of plans of one text, the latest ones', () => {
    const cache = new StatementCache()
    const names = ['a', 'b', 'c', 'd', 'e'].map((role) => twice(cache, role, 'select 1').name)
    expect(cache.takeEvicted()).toEqual([names[0]])
    expect(cache.plan('a', 'select 1').parse).toBe(true)
    expect(cache.plan('e', 'select 1').parse).toBe(false)
  })

  it('names the statement that made room, once', () => {
    const cache = new StatementCache({ size: 2 })
    for (const text of ['one', 'two', 'three']) twice(cache, '', text)
    expect(cache.takeEvicted()).toEqual(['t1'])
    expect(cache.takeEvicted()).toEqual([])
    expect(cache.plan('', 'one')).toEqual({ name: 't4', parse: true })
  })

  it('lets the least recently used one go', () => {
    const cache = new StatementCache({ size: 2 })
    for (const text of ['one', 'two']) twice(cache, '', text)
    cache.plan('', 'one')
    twice(cache, '', 'three')
    expect(cache.takeEvicted()).toEqual(['t2'])
  })

  it('never uses a name again', () => {
    const cache = new StatementCache()
    const before = twice(cache, '', 'select 1').name
    cache.forgetAll()
    expect(cache.takeEvicted()).toEqual([before])
    expect(cache.plan('', 'select 1')).toEqual({ name: 't2', parse: true })
  })

  it('forgets one plan and keeps the others', () => {
    const cache = new StatementCache()
    twice(cache, '', 'bad')
    twice(cache, '', 'good')
    cache.forget('', 'bad')
    expect(cache.plan('', 'bad').parse).toBe(true)
    expect(cache.plan('', 'good').parse).toBe(false)
  })

  it('prepares nothing behind a transaction pooler', () => {
    const cache = new StatementCache({ enabled: false })
    for (let time = 0; time < 5; time += 1) expect(cache.plan('', 'select 1')).toEqual({ name: '', parse: true })
  })
})
