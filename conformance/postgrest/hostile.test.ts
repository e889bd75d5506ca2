/**
 * Hostile input at every position of the grammar. Nothing of it may stand in a statement outside of a quoted name, nothing may answer
 * with a 5xx or hang, and the database must be as it was.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BatchStatement } from '../../packages/server/src/db/batch.ts'
import { type Harness, startHarness } from './harness.ts'

const SEED = 7_007
const RUNS = process.env.TEAHOUSE_SOAK === '1' ? 20_000 : 2_000

/** Marks what came from the client. */
const MARK = 'zqmark'

const HOSTILE = [
  `${MARK}'; drop table town.tag; --`,
  `${MARK}"; drop table town.tag; --`,
  `${MARK}') or 1=1 --`,
  `${MARK}$$; select pg_sleep(10); $$`,
  `${MARK}\\'; delete from town.tag; --`,
  `${MARK}::text; drop table town.tag`,
  `${MARK}/**/union/**/select/**/1`,
  `'||(select '${MARK}')||'`,
  `"||"${MARK}`,
  `$1 ${MARK}`,
  `${MARK}(select 1)`,
  `E'${MARK}\\x27'`,
  `${MARK}\u0000x`,
  `${MARK}\u2028\u202e`,
  `U&"${MARK}\\0041"`,
  `${MARK},${MARK}`,
  `(${MARK}`,
  `${MARK})`,
  `{${MARK}}`,
  `${MARK}->x`,
  `__proto__${MARK}`,
  `${MARK}%27%3b`,
  `${'a'.repeat(200)}${MARK}`,
] as const

/** Where hostile text can go. */
const POSITIONS: readonly ((text: string) => Probe)[] = [
  (text) => get(`/${encode(text)}`),
  (text) => get(`/tag?select=${encode(text)}`),
  (text) => get(`/tag?select=name,${encode(text)}`),
  (text) => get(`/tag?select=${encode(text)}:name`),
  (text) => get(`/tag?select=${encode(quoted(text))}:name`),
  (text) => get(`/tag?select=name::${encode(text)}`),
  (text) => get(`/tag?select=weight.${encode(text)}()`),
  (text) => get(`/tag?select=weight.sum()::${encode(text)}`),
  (text) => get(`/house?select=details->${encode(text)}`),
  (text) => get(`/house?select=details->>${encode(quoted(text))}`),
  (text) => get(`/house?select=id,${encode(text)}(name)`),
  (text) => get(`/house?select=id,${encode(quoted(text))}:street(name)`),
  (text) => get(`/house?select=id,street!${encode(text)}(name)`),
  (text) => get(`/house?select=id,street(${encode(text)})`),
  (text) => get(`/house?select=id,...street(${encode(quoted(text))}:name)`),
  (text) => get(`/tag?${encode(text)}=eq.1`),
  (text) => get(`/tag?${encode(quoted(text))}=eq.1`),
  (text) => get(`/tag?name=${encode(text)}`),
  (text) => get(`/tag?name=${encode(text)}.x`),
  (text) => get(`/tag?name=eq.${encode(text)}`),
  (text) => get(`/tag?name=in.(${encode(text)})`),
  (text) => get(`/tag?name=in.(${encode(quoted(text))},b)`),
  (text) => get(`/tag?name=like.${encode(text)}*`),
  (text) => get(`/tag?name=match.${encode(text)}`),
  (text) => get(`/tag?name=is.${encode(text)}`),
  (text) => get(`/tag?name=eq(any).${encode(text)}`),
  (text) => get(`/letter?search=fts(${encode(text)}).fox`),
  (text) => get(`/letter?search=plfts.${encode(text)}`),
  (text) => get(`/house?details->>${encode(text)}=eq.1`),
  (text) => get(`/house?details->>${encode(quoted(text))}=eq.1`),
  (text) => get(`/house?tags=cs.${encode(text)}`),
  (text) => get(`/house?floors=ov.${encode(text)}`),
  (text) => get(`/tag?or=(${encode(text)})`),
  (text) => get(`/tag?or=(name.eq.${encode(text)})`),
  (text) => get(`/tag?or=(name.eq.${encode(quoted(text))},weight.eq.1)`),
  (text) => get(`/tag?${encode(text)}.or=(name.eq.x)`),
  (text) => get(`/tag?order=${encode(text)}`),
  (text) => get(`/tag?order=name.${encode(text)}`),
  (text) => get(`/tag?order=${encode(quoted(text))}.desc`),
  (text) => get(`/house?order=details->>${encode(quoted(text))}`),
  (text) => get(`/house?select=id,street(id)&order=street(${encode(text)})`),
  (text) => get(`/tag?limit=${encode(text)}`),
  (text) => get(`/tag?offset=${encode(text)}`),
  (text) => get(`/rpc/${encode(text)}`),
  (text) => get(`/rpc/greet?name=${encode(text)}`),
  (text) => get(`/rpc/greet?${encode(text)}=1`),
  (text) => get(`/rpc/take_list?list=${encode(text)}`),
  (text) => get('/tag', { 'accept-profile': header(text) }),
  (text) => get('/tag', { prefer: `timezone=${header(text)}` }),
  (text) => get('/tag', { prefer: header(text) }),
  (text) => get('/tag', { range: header(text) }),
  (text) => get('/tag', { accept: header(text) }),
  (text) => get('/tag', { accept: `application/vnd.pgrst.plan; for="${header(text)}"; options=${header(text)}` }),
  (text) => get('/tag', { cookie: header(text), 'x-anything': header(text) }),
  (text) => post('/tag', JSON.stringify({ name: text })),
  (text) => post('/tag', JSON.stringify({ [text]: 1 })),
  (text) => post(`/tag?columns=${encode(quoted(text))}`, JSON.stringify({ [text]: 1 })),
  (text) => post(`/tag?on_conflict=${encode(quoted(text))}`, '{"name":"x"}', { prefer: 'resolution=merge-duplicates' }),
  (text) => post('/tag', `name\n${text}`, { 'content-type': 'text/csv' }),
  (text) => post('/tag', `${text}\nvalue`, { 'content-type': 'text/csv' }),
  (text) => post('/tag', `${encode(text)}=1`, { 'content-type': 'application/x-www-form-urlencoded' }),
  (text) => post('/tag', text, { 'content-type': header(text) }),
  (text) => post('/tag', text),
  (text) => post('/rpc/greet', JSON.stringify({ name: text })),
  (text) => post('/rpc/greet', JSON.stringify({ [text]: 1 })),
  (text) => post('/rpc/echo_json', JSON.stringify({ [text]: text })),
  (text) => post('/rpc/echo_text', text, { 'content-type': 'text/plain' }),
  (text) =>
    post('/house', JSON.stringify({ id: 900, number: 900, tags: [text], details: { [text]: text }, mood: text })),
  (text) => ({ ...post(`/tag?name=eq.${encode(text)}`, JSON.stringify({ name: text, weight: 1 })), method: 'PUT' }),
  (text) => ({ ...post(`/tag?name=eq.${encode(text)}`, JSON.stringify({ weight: 1 })), method: 'PATCH' }),
  (text) => ({ ...post(`/tag?name=eq.${encode(text)}`, ''), method: 'DELETE' }),
]

interface Probe {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

const encode = (text: string): string => encodeURIComponent(text)
const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
const header = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?')
const get = (path: string, headers: Readonly<Record<string, string>> = {}): Probe => ({ method: 'GET', path, headers })
const post = (path: string, body: string, headers: Readonly<Record<string, string>> = {}): Probe => ({
  method: 'POST',
  path,
  headers: { 'content-type': 'application/json', prefer: 'return=representation', ...headers },
  body,
})

/** The statement without its quoted names: what is left must be ours. */
const bare = (text: string): string => text.replaceAll(/"(?:[^"]|"")*"/g, '""')

describe('hostile input', () => {
  let harness: Harness
  const statements: string[] = []

  beforeAll(async () => {
    harness = await startHarness({
      config: {
        schemas: ['town', 'annex'],
        extraSearchPath: ['public'],
        aggregates: true,
        plans: true,
        safeUpdate: false,
        txEnd: 'rollback',
      },
    })
    const pool = harness.database.requests
    const explicit = pool.explicit.bind(pool)
    pool.explicit = (begin: string, list: readonly BatchStatement[], end: 'commit' | 'rollback') => {
      statements.push(...list.map((each) => each.text))
      return explicit(begin, list, end)
    }
  })
  afterAll(() => harness.stop())

  const send = async (probe: Probe) => {
    const answer = await harness.app.inject({
      method: probe.method,
      url: `/rest/v1${probe.path}`,
      headers: probe.headers,
      ...(probe.body === undefined ? {} : { payload: probe.body }),
    })
    return { status: answer.statusCode, text: answer.body }
  }

  const examine = async (probe: Probe): Promise<void> => {
    statements.length = 0
    const answer = await send(probe)
    expect({ probe, ...answer, ok: answer.status < 500 }).toMatchObject({ ok: true })
    if (answer.status >= 400)
      expect(Object.keys(JSON.parse(answer.text)).sort()).toEqual(['code', 'details', 'hint', 'message'])
    for (const text of statements) expect(bare(text)).not.toContain(MARK)
  }

  it('is harmless at every position', { timeout: 600_000 }, async () => {
    for (const position of POSITIONS) for (const text of HOSTILE) await examine(position(text))
  })

  it('is harmless in random mixtures', { timeout: 1_800_000 }, async () => {
    const piece = fc.oneof(
      fc.constantFrom(...HOSTILE),
      fc.constantFrom(
        '"',
        "'",
        '\\',
        '(',
        ')',
        '{',
        '}',
        ',',
        '.',
        ':',
        '::',
        '->',
        '->>',
        '!',
        '*',
        '%',
        '$1',
        ';',
        '--',
        'not.',
        'eq.',
        '...',
        'count()',
        '&',
        '=',
        ' ',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
    )
    const text = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => `${MARK}${pieces.join('')}`)
    await fc.assert(
      fc.asyncProperty(fc.nat(POSITIONS.length - 1), text, async (position, hostile) => {
        const probe = POSITIONS[position]
        if (probe !== undefined && isEncodable(hostile)) await examine(probe(hostile))
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })

  it('leaves the database as it was', async () => {
    const answer = await send(get('/tag?order=name'))
    expect(JSON.parse(answer.text)).toEqual([
      { name: 'x', weight: 1 },
      { name: 'y', weight: 2 },
    ])
  })
})

/** Lone surrogates cannot be written into a URL at all. */
const isEncodable = (text: string): boolean => {
  try {
    encodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
