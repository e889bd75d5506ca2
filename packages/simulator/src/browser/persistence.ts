/** Storage in localStorage and user files in IndexedDB, apart for each app and user. */
import type { PersistenceHost } from '../wx/host.ts'
import { packageUrl } from './screen.ts'

const STORE = 'files'

/** Opens what earlier runs left. */
export async function openPersistence(appId: string, user: string): Promise<PersistenceHost & { clear(): void }> {
  const prefix = `teahouse-simulator:${appId}:${user}:`
  const database = await openDatabase(`${prefix}files`)
  const files = database ? await readAll(database) : []
  const keys = () => Object.keys(localStorage).filter((key) => key.startsWith(prefix))
  return {
    loadStorage: () => keys().map((key) => [key.slice(prefix.length), localStorage.getItem(key) ?? ''] as const),
    saveStorage: (key, text) => {
      try {
        if (text === null) localStorage.removeItem(prefix + key)
        else localStorage.setItem(prefix + key, text)
      } catch {
        // Browsers keep about 5 MB: beyond that the value lives until the page is reloaded.
        console.warn(`storage "${key}" is too large to survive a reload`)
      }
    },
    loadFiles: () => files,
    saveFile: (path, bytes) => {
      const store = database?.transaction(STORE, 'readwrite').objectStore(STORE)
      if (bytes === null) store?.delete(path)
      else store?.put(bytes, path)
    },
    packageFile,
    clear: () => {
      for (const key of keys()) localStorage.removeItem(key)
      database?.transaction(STORE, 'readwrite').objectStore(STORE).clear()
    },
  }
}

function openDatabase(name: string): Promise<IDBDatabase | null> {
  return new Promise((resolve) => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => void request.result.createObjectStore(STORE)
    request.onsuccess = () => resolve(request.result)
    // A private window may refuse: files then live until the page is reloaded.
    request.onerror = () => resolve(null)
  })
}

function readAll(database: IDBDatabase): Promise<(readonly [string, Uint8Array])[]> {
  return new Promise((resolve) => {
    const store = database.transaction(STORE).objectStore(STORE)
    const found: (readonly [string, Uint8Array])[] = []
    const cursor = store.openCursor()
    cursor.onsuccess = () => {
      const at = cursor.result
      if (!at) return resolve(found)
      found.push([String(at.key), at.value as Uint8Array])
      at.continue()
    }
    cursor.onerror = () => resolve(found)
  })
}

/** The Sync methods of the file system leave no choice: a synchronous request, read as bytes. */
function packageFile(path: string): Uint8Array | null {
  const request = new XMLHttpRequest()
  request.open('GET', packageUrl(path), false)
  request.overrideMimeType('text/plain; charset=x-user-defined')
  request.send()
  if (request.status !== 200) return null
  return Uint8Array.from(request.responseText, (character) => character.charCodeAt(0) & 255)
}
