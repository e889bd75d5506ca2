/** Sends cases: to a server of this process over a fresh fixture, or to the one that TEAHOUSE_CORPUS_URL names. */
import type { FastifyInstance } from 'fastify'
import { SignJWT } from 'jose'
import type { Major } from '../../packages/server/test/database.ts'
import type { Answer, Case } from './corpus.ts'
import { appOver, CORPUS_CONFIG, startHarness } from './harness.ts'

export interface Replay {
  send(each: Case): Promise<Answer>
  /** Whether the case can be sent here. */
  supports(each: Case): boolean
  stop(): Promise<void>
}

/** A remote server needs the two fixtures and `remote-settings.sql`. */
export const startReplay = (version: Major): Promise<Replay> => {
  const url = process.env.TEAHOUSE_CORPUS_URL
  const secret = process.env.TEAHOUSE_CORPUS_SECRET
  return url === undefined || secret === undefined ? startLocal(version) : Promise.resolve(remoteReplay(url, secret))
}

const startLocal = async (version: Major): Promise<Replay> => {
  const harness = await startHarness({ version })
  const apps = new Map<string, FastifyInstance>()
  const appFor = (each: Case): FastifyInstance => {
    const config = { ...CORPUS_CONFIG, txEnd: each.commit === true ? 'commit' : 'rollback', ...each.config } as const
    const key = JSON.stringify(config)
    const known = apps.get(key) ?? appOver(harness.database, harness.catalog, config)
    apps.set(key, known)
    return known
  }
  return {
    supports: () => true,
    send: async (each) => {
      const { method, path } = requestOf(each)
      const caller = {
        'x-test-role': each.role ?? 'anon',
        ...(each.sub === undefined ? {} : { 'x-test-sub': each.sub }),
      }
      const payload = payloadOf(each)
      const answer = await appFor(each).inject({
        // inject's type knows only the usual methods.
        method: method as 'GET',
        url: `/rest/v1${path}`,
        headers: { ...caller, ...headersOf(each) },
        ...(payload === undefined ? {} : { payload }),
      })
      return { status: answer.statusCode, headers: answer.headers, text: answer.body }
    },
    stop: async () => {
      for (const app of apps.values()) await app.close()
      await harness.stop()
    },
  }
}

/** `fetch` refuses to send these. */
const UNSENDABLE = /^(?:CONNECT|TRACE|TRACK) /

/** Sends cases to the server whose instant API is at `url`, as callers whose tokens `secret` signs. */
export const remoteReplay = (url: string, secret: string): Replay => ({
  supports: (each) => each.config === undefined && each.commit !== true && !UNSENDABLE.test(each.request),
  send: async (each) => {
    const { method, path } = requestOf(each)
    const token = await new SignJWT({ role: each.role ?? 'anon', ...(each.sub === undefined ? {} : { sub: each.sub }) })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(secret))
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { apikey: token, authorization: `Bearer ${token}`, ...headersOf(each) },
      body: payloadOf(each) ?? null,
    })
    const cookies = response.headers.getSetCookie()
    const headers = {
      ...Object.fromEntries(response.headers),
      ...(cookies.length > 1 ? { 'set-cookie': cookies } : {}),
    }
    return { status: response.status, headers, text: await response.text() }
  },
  stop: async () => {},
})

/** Escapes what a request line cannot hold; escapes that are there already stay. */
const requestOf = ({ request }: Case): { readonly method: string; readonly path: string } => {
  const at = request.indexOf(' ')
  const path = request.slice(at + 1).replaceAll(/[^\x21-\x7e]|["\\<>^`{|}#]/gu, (char) => encodeURIComponent(char))
  return { method: request.slice(0, at), path }
}

const payloadOf = ({ body }: Case): string | undefined =>
  body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)

const headersOf = (each: Case): Record<string, string> => ({
  ...(each.body === undefined ? {} : { 'content-type': 'application/json' }),
  ...(each.schema === undefined ? {} : { 'accept-profile': each.schema, 'content-profile': each.schema }),
  ...each.headers,
})
