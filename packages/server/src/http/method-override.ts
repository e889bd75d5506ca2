/** Methods that a mini-program cannot send: `wx.request` has no PATCH, and `wx.uploadFile` nothing but POST. */
import type { IncomingMessage } from 'node:http'

const MEANT = /^\s*(PUT|PATCH|DELETE)\s*$/i

/**
 * A POST that names another method in `X-HTTP-Method-Override` counts as that method, in every dialect. Called before a
 * route is looked for, and answers the URL, unchanged. Only POST is turned, and only into what changes something: what a
 * cache or a proxy took for a read stays one.
 */
export const honourMethodOverride = (request: IncomingMessage): string => {
  const named = request.headers['x-http-method-override']
  const meant = request.method === 'POST' && typeof named === 'string' ? MEANT.exec(named)?.[1] : undefined
  if (meant !== undefined) request.method = meant.toUpperCase()
  return request.url ?? '/'
}
