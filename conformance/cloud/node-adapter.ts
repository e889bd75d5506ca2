/** What CloudBase's SDKs for pages ask of the place they run in, in Node: requests, sockets, storage. */
import { WebSocket } from 'ws'

interface Asked {
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly data?: unknown
  readonly body?: unknown
  readonly file?: Blob
}

const absolute = (url: string): string => (url.startsWith('//') ? `http:${url}` : url)

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const ask = async (method: string, { url, headers = {}, body, data }: Asked) => {
  const content = body ?? data
  const sent = content === undefined || typeof content === 'string' || content instanceof FormData
  const init =
    method === 'GET' ? {} : { body: (sent ? (content ?? null) : JSON.stringify(content)) as string | FormData | null }
  const response = await fetch(absolute(url), { method, headers, ...init })
  return {
    data: parse(await response.text()),
    statusCode: response.status,
    header: Object.fromEntries(response.headers),
  }
}

class Requests {
  get = (asked: Asked) => ask('GET', asked)
  post = (asked: Asked) => ask('POST', asked)
  put = (asked: Asked) => ask('PUT', asked)
  download = (asked: Asked) => ask('GET', asked)

  async upload({ url, method = 'PUT', headers = {}, file }: Asked) {
    const response = await fetch(url, { method, headers, body: file ?? null })
    return { data: await response.text(), statusCode: response.status }
  }

  async fetch(asked: Asked) {
    const answer = await ask(asked.method ?? 'GET', asked)
    return { ...answer, data: Promise.resolve(answer.data) }
  }
}

/** For `cloudbase.useAdapters`. */
export const nodeAdapter = () => {
  const kept = new Map<string, string>()
  const localStorage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
    clear: () => kept.clear(),
  }
  return {
    runtime: 'node',
    isMatch: () => true,
    genAdapter: () => ({ root: {}, reqClass: Requests, wsClass: WebSocket, localStorage, primaryStorage: 'local' }),
  }
}
