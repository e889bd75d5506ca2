/** wx storage: JSON values with Date, one megabyte a key, ten in all. */

import { utf8Encode } from './bytes.ts'
import { asyncApi, flagOf, type Options, optionsOf, stringOf, typeName, wrongParameter } from './call.ts'
import type { Phone } from './phone.ts'

interface Entry {
  readonly text: string
  readonly bytes: number
}

/** Encrypted storage has smaller quotas. */
const ENCRYPTED_SHARE = 0.7

const encode = (value: unknown): string =>
  value instanceof Date ? `d${value.getTime()}` : `j${JSON.stringify(value) ?? 'null'}`

const decode = (text: string): unknown =>
  text.startsWith('d') ? new Date(Number(text.slice(1))) : JSON.parse(text.slice(1))

export class Storage {
  readonly #phone: Phone
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  constructor(phone: Phone) {
    this.#phone = phone
    for (const [key, text] of phone.host.persistence.loadStorage()) this.#put(key, text)
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  get(key: string): unknown {
    const entry = this.#entries.get(key)
    return entry ? decode(entry.text) : ''
  }

  /** Stores, or says why not. */
  set(key: string, value: unknown, encrypt = false): string | null {
    const type = typeName(value)
    if (type === 'Function' || type === 'Symbol') return `parameter error: parameter.data should not be ${type};`
    const text = encode(value)
    const share = encrypt ? ENCRYPTED_SHARE : 1
    const { storageKeyBytes, storageTotalBytes } = this.#phone.settings.limits
    const bytes = utf8Encode(text).length - 1
    if (bytes > storageKeyBytes * share) return 'exceed max size for single key'
    const before = this.#entries.get(key)?.bytes ?? 0
    if (this.#bytes - before + bytes > storageTotalBytes * share) return 'exceed storage max size'
    this.#put(key, text)
    this.#phone.host.persistence.saveStorage(key, text)
    return null
  }

  remove(key: string): void {
    const entry = this.#entries.get(key)
    if (!entry) return
    this.#bytes -= entry.bytes
    this.#entries.delete(key)
    this.#phone.host.persistence.saveStorage(key, null)
  }

  clear(): void {
    for (const key of [...this.#entries.keys()]) this.remove(key)
  }

  info() {
    return {
      keys: [...this.#entries.keys()],
      currentSize: Math.ceil(this.#bytes / 1024),
      limitSize: this.#phone.settings.limits.storageTotalBytes / 1024,
    }
  }

  #put(key: string, text: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0
    const bytes = utf8Encode(text).length - 1
    this.#entries.set(key, { text, bytes })
    this.#bytes += bytes
  }
}

/** The sync forms throw what the async forms fail with. */
function refuseSync(name: string, phone: Phone, options: Options): void {
  const reason = phone.takeFailure(name)?.reason ?? wrongParameter(options, 'key', 'String')
  if (reason) throw new Error(`${name}:fail ${reason}`)
}

/** Builds the storage functions. */
export function createStorage(phone: Phone) {
  const storage = new Storage(phone)
  const keyed = (name: string, run: (key: string, options: Options) => { result?: object; reason?: string | null }) =>
    asyncApi(name, phone, (options, settle) => {
      const refusal = phone.takeFailure(name)?.reason ?? wrongParameter(options, 'key', 'String')
      if (refusal) return settle.fail(refusal)
      const { result, reason } = run(stringOf(options.key), options)
      if (reason) settle.fail(reason)
      else settle.ok(result)
    })
  const setStorageSync = (key: unknown, data: unknown) => {
    refuseSync('setStorageSync', phone, { key })
    const reason = storage.set(stringOf(key), data)
    if (reason) throw new Error(`setStorageSync:fail ${reason}`)
  }
  const getStorageSync = (key: unknown) => {
    refuseSync('getStorageSync', phone, { key })
    return storage.get(stringOf(key))
  }
  const api = {
    setStorageSync,
    getStorageSync,
    removeStorageSync: (key: unknown) => {
      refuseSync('removeStorageSync', phone, { key })
      storage.remove(stringOf(key))
    },
    clearStorageSync: () => storage.clear(),
    getStorageInfoSync: () => storage.info(),
    setStorage: keyed('setStorage', (key, o) => ({ reason: storage.set(key, o.data, flagOf(o.encrypt)) })),
    getStorage: keyed('getStorage', (key) =>
      storage.has(key) ? { result: { data: storage.get(key) } } : { reason: 'data not found' },
    ),
    removeStorage: keyed('removeStorage', (key) => {
      storage.remove(key)
      return {}
    }),
    clearStorage: asyncApi('clearStorage', phone, (_, settle) => {
      storage.clear()
      settle.ok()
    }),
    getStorageInfo: asyncApi('getStorageInfo', phone, (_, settle) => settle.ok(storage.info())),
    batchSetStorageSync: (list: unknown) => {
      for (const item of Array.isArray(list) ? list : []) setStorageSync(optionsOf(item).key, optionsOf(item).value)
    },
    batchGetStorageSync: (keys: unknown) => (Array.isArray(keys) ? keys.map((key) => getStorageSync(key)) : []),
  }
  return { api, storage }
}
