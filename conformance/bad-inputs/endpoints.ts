/** Every HTTP endpoint of the dialects, with a request to it that is right but for the place where the bad input goes. */

/** Whose error shape an endpoint answers with. */
export type Voice = 'rest' | 'storage' | 'realtime' | 'auth' | 'plain'

export interface Endpoint {
  readonly voice: Voice
  readonly method: string
  readonly path: string
  /** Takes a JSON body; this one is right. */
  readonly body?: string
  /** Bodies are files here: any bytes will do. */
  readonly file?: boolean
}

const rest = (method: string, path: string, body?: string): Endpoint => ({
  voice: 'rest',
  method,
  path: `/rest/v1${path}`,
  ...(body === undefined ? {} : { body }),
})
const storage = (method: string, path: string, body?: object): Endpoint => ({
  voice: 'storage',
  method,
  path: `/storage/v1${path}`,
  ...(body === undefined ? {} : { body: JSON.stringify(body) }),
})
const file = (method: string, path: string): Endpoint => ({ ...storage(method, path), file: true })
const realtime = (path: string, body: object): Endpoint => ({
  voice: 'realtime',
  method: 'POST',
  path: `/realtime/v1${path}`,
  body: JSON.stringify(body),
})
const plain = (method: string, path: string, body?: string): Endpoint => ({
  voice: 'plain',
  method,
  path,
  ...(body === undefined ? {} : { body }),
})

export const ENDPOINTS: readonly Endpoint[] = [
  rest('GET', '/'),
  rest('GET', '/item'),
  rest('HEAD', '/item'),
  rest('OPTIONS', '/item'),
  rest('POST', '/item', '{"text":"new"}'),
  rest('PATCH', '/item?id=eq.1', '{"text":"changed"}'),
  rest('PUT', '/item?id=eq.1', '{"id":1,"text":"put"}'),
  rest('DELETE', '/item?id=eq.-1'),
  rest('GET', '/rpc/shout?word=a'),
  rest('POST', '/rpc/shout', '{"word":"a"}'),
  rest('POST', '/rpc/echo', '{"doc":{}}'),
  storage('GET', '/bucket'),
  storage('POST', '/bucket', { name: 'b' }),
  storage('GET', '/bucket/open'),
  storage('PUT', '/bucket/open', { public: true }),
  storage('POST', '/bucket/none/empty'),
  storage('DELETE', '/bucket/none'),
  file('POST', '/object/open/new'),
  file('PUT', '/object/open/there.txt'),
  storage('GET', '/object/open/there.txt'),
  storage('HEAD', '/object/open/there.txt'),
  storage('DELETE', '/object/open/none'),
  storage('DELETE', '/object/open', { prefixes: ['none'] }),
  storage('GET', '/object/public/open/there.txt'),
  storage('GET', '/object/authenticated/open/there.txt'),
  storage('GET', '/object/info/open/there.txt'),
  storage('POST', '/object/list/open', { prefix: '' }),
  storage('POST', '/object/list-v2/open', { prefix: '' }),
  storage('POST', '/object/move', { bucketId: 'open', sourceKey: 'none', destinationKey: 'to' }),
  storage('POST', '/object/copy', { bucketId: 'open', sourceKey: 'none', destinationKey: 'to' }),
  storage('POST', '/object/sign/open/there.txt', { expiresIn: 60 }),
  storage('POST', '/object/sign/open', { expiresIn: 60, paths: ['there.txt'] }),
  storage('GET', '/object/sign/open/there.txt?token=x'),
  storage('POST', '/object/upload/sign/open/later.txt', {}),
  file('PUT', '/object/upload/sign/open/later.txt?token=x'),
  storage('DELETE', '/cdn/open/there.txt'),
  storage('GET', '/nowhere'),
  realtime('/api/broadcast', { messages: [{ topic: 'room', event: 'e', payload: {} }] }),
  realtime('/api/broadcast/room/events/e', {}),
  { ...realtime('/nowhere', {}), method: 'GET' },
  plain('GET', '/health'),
  plain('POST', '/health', '{}'),
  plain('GET', '/nowhere'),
  plain('POST', '/nowhere', '{}'),
]

/** Paths in which `*` is the place of a hostile segment. */
export const SEGMENT_PATHS: readonly Endpoint[] = [
  rest('GET', '/*'),
  rest('POST', '/*', '{}'),
  rest('GET', '/rpc/*'),
  rest('POST', '/rpc/*', '{}'),
  storage('GET', '/bucket/*'),
  storage('DELETE', '/bucket/*'),
  storage('GET', '/object/*/there.txt'),
  storage('GET', '/object/open/*'),
  storage('GET', '/object/public/*/there.txt'),
  storage('GET', '/object/public/open/*'),
  storage('POST', '/object/list/*', {}),
  storage('POST', '/object/sign/open/*', { expiresIn: 60 }),
  storage('GET', '/object/sign/open/*?token=x'),
  file('POST', '/object/*/new.txt'),
  file('POST', '/object/open/folder/*'),
  realtime('/api/broadcast/*/events/e', {}),
  realtime('/api/broadcast/room/events/*', {}),
  plain('GET', '/*'),
]

/** JSON bodies in which `"*"` is the place of a hostile text. */
export const TEXT_BODIES: readonly Endpoint[] = [
  rest('POST', '/item', '{"text":"*"}'),
  rest('POST', '/item', '{"doc":"*"}'),
  rest('POST', '/item', '{"n":"*"}'),
  rest('POST', '/item', '{"d":"*"}'),
  rest('POST', '/item', '{"tags":["*"]}'),
  rest('PATCH', '/item?id=eq.1', '{"text":"*"}'),
  rest('POST', '/rpc/shout', '{"word":"*"}'),
  rest('POST', '/rpc/echo', '{"doc":"*"}'),
  storage('POST', '/bucket', { name: '*' }),
  storage('POST', '/bucket', { name: 'b', file_size_limit: '*' }),
  storage('POST', '/bucket', { name: 'b', allowed_mime_types: ['*'] }),
  storage('DELETE', '/object/open', { prefixes: ['*'] }),
  storage('POST', '/object/list/open', { prefix: '*' }),
  storage('POST', '/object/list/open', { prefix: '', search: '*' }),
  storage('POST', '/object/list/open', { prefix: '', limit: '*' }),
  storage('POST', '/object/list/open', { prefix: '', sortBy: { column: '*', order: '*' } }),
  storage('POST', '/object/list-v2/open', { prefix: '*' }),
  storage('POST', '/object/list-v2/open', { cursor: '*' }),
  storage('POST', '/object/move', { bucketId: '*', sourceKey: 'a', destinationKey: 'b' }),
  storage('POST', '/object/move', { bucketId: 'open', sourceKey: '*', destinationKey: 'b' }),
  storage('POST', '/object/copy', { bucketId: 'open', sourceKey: 'there.txt', destinationKey: '*' }),
  storage('POST', '/object/copy', { bucketId: 'open', sourceKey: 'a', destinationKey: 'b', destinationBucket: '*' }),
  storage('POST', '/object/sign/open/there.txt', { expiresIn: '*' }),
  storage('POST', '/object/sign/open', { expiresIn: 60, paths: ['*'] }),
  realtime('/api/broadcast', { messages: [{ topic: '*', event: 'e', payload: {} }] }),
  realtime('/api/broadcast', { messages: [{ topic: '*', event: 'e', payload: {}, private: true }] }),
  realtime('/api/broadcast', { messages: [{ topic: 'room', event: '*', payload: {} }] }),
  realtime('/api/broadcast', { messages: [{ topic: 'room', event: 'e', payload: '*' }] }),
]
