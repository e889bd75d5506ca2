/** localStorage over wx storage: synchronous, so that a session is there at launch. */
import { DOMException } from './errors.ts'
import type { Wx } from './platform.ts'

/** What auth clients take as a storage. */
export interface SessionStorage {
  readonly length: number
  key(index: number): string | null
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
  clear(): void
}

/** Keys live under a prefix, so that `clear` and `key` speak of ours alone. */
export function createStorage(wx: Wx, prefix = ''): SessionStorage {
  const keys = (): string[] =>
    wx
      .getStorageInfoSync()
      .keys.filter((key) => key.slice(0, prefix.length) === prefix)
      .map((key) => key.slice(prefix.length))
  return {
    get length() {
      return keys().length
    },
    key: (index) => keys()[index] ?? null,
    getItem: (key) => {
      const value = wx.getStorageSync(prefix + key)
      // A missing key reads as '': to tell it from an empty value, text is kept with a mark before it.
      return typeof value === 'string' && value !== '' ? value.replace(/^=/, '') : null
    },
    setItem: (key, value) => {
      try {
        wx.setStorageSync(prefix + key, `=${value}`)
      } catch (error) {
        throw new DOMException(error instanceof Error ? error.message : 'storage is full', 'QuotaExceededError')
      }
    },
    removeItem: (key) => wx.removeStorageSync(prefix + key),
    clear: () => {
      for (const key of keys()) wx.removeStorageSync(prefix + key)
    },
  }
}
