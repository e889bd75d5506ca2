/** Storage: values, quotas and words. */
import { expect, test } from 'vitest'
import { outcome } from '../testing/call-wx.ts'
import { fakeHost } from '../testing/fake-host.ts'
import { createCore } from './create.ts'

function start() {
  const host = fakeHost()
  const { wx } = createCore(host, { limits: { storageKeyBytes: 100, storageTotalBytes: 250 } })
  const sync = (name: string) => wx[name] as (...args: unknown[]) => unknown
  return { host, wx, set: sync('setStorageSync'), get: sync('getStorageSync'), remove: sync('removeStorageSync') }
}

test('values come back as they were, dates too, and are kept', () => {
  const { set, get, host } = start()
  for (const value of [{ a: [1, null, '茶'] }, 'text', 0, false, null, new Date(5)]) {
    set('key', value)
    expect(get('key')).toEqual(value)
  }
  expect(host.saved.get('key')).toBe('d5')
})

test('what is missing is an empty string, or a failure', async () => {
  const { wx, get } = start()
  expect(get('none')).toBe('')
  expect(await outcome(wx, 'getStorage', { key: 'none' })).toEqual({ errMsg: 'getStorage:fail data not found' })
  expect(() => get(1)).toThrow('getStorageSync:fail parameter error: parameter.key should be String instead of Number;')
})

test('both quotas hold, and replacing a value gives its room back', async () => {
  const { wx, set, remove } = start()
  expect(() => set('a', 'x'.repeat(120))).toThrow('setStorageSync:fail exceed max size for single key')
  set('a', 'x'.repeat(90))
  set('a', 'y'.repeat(90))
  set('b', 'x'.repeat(90))
  expect(await outcome(wx, 'setStorage', { key: 'c', data: 'x'.repeat(90) })).toEqual({
    errMsg: 'setStorage:fail exceed storage max size',
  })
  remove('a')
  expect(await outcome(wx, 'setStorage', { key: 'c', data: 'x'.repeat(90) })).toEqual({ errMsg: 'setStorage:ok' })
  expect(await outcome(wx, 'getStorageInfo')).toMatchObject({ keys: ['b', 'c'], currentSize: 1 })
})

test('the promise form is for calls without callbacks', async () => {
  const { wx } = start()
  const setStorage = wx['setStorage'] as (options: object) => unknown
  await expect(setStorage({ key: 'a', data: 1 })).resolves.toEqual({ errMsg: 'setStorage:ok' })
  expect(setStorage({ key: 'a', data: 1, success: () => {} })).toBeUndefined()
  await expect((wx['getStorage'] as typeof setStorage)({ key: 'none' })).rejects.toEqual({
    errMsg: 'getStorage:fail data not found',
  })
})
