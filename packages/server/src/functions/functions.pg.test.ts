/** Functions in real processes: what they answer, what bounds them, and that nothing of one invocation reaches another. */
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../../conformance/support/until.ts'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { folderOf } from '../../test/function-folder.ts'
import { systemClock } from '../kernel/clock.ts'
import { randomIds } from '../kernel/ids.ts'
import { silentLog } from '../observe/log.ts'
import { packFunction } from './bundle.ts'
import { deployFunction, rollBack, setVariable } from './deploy.ts'
import { createFunctions, DEFAULT_LIMITS, type Functions } from './functions.ts'
import type { Answer, Invocation } from './invocation.ts'

const TOTAL = process.env.TEAHOUSE_SOAK === '1' ? 1_000 : 200

let database: TestDatabase
let functions: Functions

const deploy = async (name: string, files: Readonly<Record<string, string>>) =>
  deployFunction(database.owner, systemClock, await packFunction(await folderOf(files), name))

const ask = (name: string, event: unknown = {}, more: Partial<Invocation> = {}) =>
  functions.invoke({ name, caller: null, trigger: 'client', event: JSON.stringify(event), ...more })

const resultOf = (answer: Answer): unknown => {
  if (answer.kind !== 'result') throw new Error(`no result: ${JSON.stringify(answer)}`)
  return JSON.parse(answer.json)
}

beforeAll(async () => {
  database = await createTestDatabase()
  functions = createFunctions({
    db: database.owner,
    clock: systemClock,
    ids: randomIds,
    log: silentLog,
    limits: { ...DEFAULT_LIMITS, processes: 6 },
    seed: 'functions test',
  })
  await functions.start()
}, 60_000)

afterAll(async () => {
  await functions?.stop()
  await database?.drop()
})

describe('a function', () => {
  it('answers with what main returns, and sees its event and its variables', async () => {
    await setVariable(database.owner, 'hello', 'GREETING', '你好')
    await deploy('hello', {
      'index.js': `const greeting = process.env.GREETING
        exports.main = async (event, context) => ({ text: greeting + ' ' + event.name, id: context.requestId.length, home: process.env.HOME !== undefined, secrets: Object.keys(process.env).filter((name) => /SECRET|PASSWORD|TEAHOUSE/.test(name)) })`,
    })
    const { answer } = await ask('hello', { name: '茶' })
    expect(resultOf(answer)).toEqual({ text: '你好 茶', id: 36, home: true, secrets: [] })
  })

  it('may be a module of either kind, with files of its own', async () => {
    await deploy('modern', {
      'package.json': '{"type":"module","main":"main.js"}',
      'main.js': `import { double } from './lib/double.js'\nexport const main = ({ n }) => double(n)`,
      'lib/double.js': 'export const double = (n) => n * 2',
    })
    expect(resultOf((await ask('modern', { n: 21 })).answer)).toBe(42)
  })

  it('that throws says what, and does not end its process', async () => {
    await deploy('thrower', {
      'index.js': `exports.main = ({ bad }) => { if (bad) throw new TypeError('no tea'); return process.pid }`,
    })
    const before = resultOf((await ask('thrower')).answer)
    expect((await ask('thrower', { bad: true })).answer).toMatchObject({
      kind: 'failed',
      reason: 'thrown',
      name: 'TypeError',
      message: 'no tea',
    })
    expect(resultOf((await ask('thrower')).answer)).toBe(before)
  })

  it('that cannot be loaded says why', async () => {
    await deploy('broken', { 'index.js': `require('./nowhere')` })
    expect((await ask('broken')).answer).toMatchObject({ kind: 'failed', reason: 'load_failed' })
    await deploy('empty', { 'index.js': `exports.value = 1` })
    expect((await ask('empty')).answer).toMatchObject({
      reason: 'load_failed',
      message: expect.stringContaining('main'),
    })
  })

  it('that speaks while it is loaded is heard in its first invocation', async () => {
    await deploy('speaker', { 'index.js': `console.log('loading'); exports.main = () => console.warn('running')` })
    const { id } = await ask('speaker')
    const rows = await functions.logs.read('speaker')
    expect(rows.slice(0, 2)).toMatchObject([
      { invocation: id, level: 'info', message: 'loading' },
      { invocation: id, level: 'warn', message: 'running' },
    ])
  })

  it('that is unknown is not found', async () => {
    await expect(ask('nobody')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('is replaced and rolled back while it is used', async () => {
    await deploy('versions', { 'index.js': 'exports.main = () => 1' })
    expect(resultOf((await ask('versions')).answer)).toBe(1)
    expect(await deploy('versions', { 'index.js': 'exports.main = () => 1' })).toMatchObject({
      version: 1,
      changed: false,
    })
    await deploy('versions', { 'index.js': 'exports.main = () => 2' })
    await until('the new version answers', async () => resultOf((await ask('versions')).answer) === 2)
    expect(await rollBack(database.owner, systemClock, 'versions')).toMatchObject({ version: 1 })
    await until('the old version answers', async () => resultOf((await ask('versions')).answer) === 1)
  })
})

describe('over HTTP', () => {
  const http = (body: unknown = {}) => ({
    method: 'POST',
    url: 'http://127.0.0.1/functions/v1/x/deep?a=1',
    path: '/deep',
    query: { a: '1' },
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(body)).toString('base64'),
    ip: '127.0.0.1',
  })
  const shapes = {
    response: `exports.handler = (req, resp, context) => { resp.setStatusCode(201); resp.setHeader('x-path', req.path); resp.send(req.queries.a + JSON.parse(req.body).n) }`,
    callback: `exports.handler = (event, context, callback) => callback(null, { statusCode: 201, headers: { 'x-path': '/deep' }, body: '1' + JSON.parse(event).n })`,
    returned: `exports.handler = async (event) => ({ statusCode: 201, headers: { 'x-path': event.path }, body: event.query.a + JSON.parse(event).n })`,
    fetched: `exports.fetch = async (request) => new Response(new URL(request.url).searchParams.get('a') + (await request.json()).n, { status: 201, headers: { 'x-path': '/deep' } })`,
  }
  it.each(Object.entries(shapes))('a handler of the shape %s answers', async (name, code) => {
    await deploy(name, { 'index.js': code })
    const { answer } = await ask(name, {}, { http: http({ n: 2 }) })
    if (answer.kind !== 'response') throw new Error(JSON.stringify(answer))
    expect([answer.status, answer.body.toString(), Object.fromEntries(answer.headers)['x-path']]).toEqual([
      201,
      '12',
      '/deep',
    ])
  })

  it('the same function as for a call answers, with the JSON of the body as its event', async () => {
    await deploy('sum', { 'index.js': 'exports.main = ({ a, b }) => ({ sum: a + b })' })
    expect(resultOf((await ask('sum', {}, { http: http({ a: 1, b: 2 }) })).answer)).toEqual({ sum: 3 })
  })
})

describe('a function that misbehaves hurts only its caller', () => {
  const neighbour = async () => resultOf((await ask('good', { n: 1 })).answer)
  beforeAll(() => deploy('good', { 'index.js': 'exports.main = ({ n }) => n + 1' }))

  const limits = JSON.stringify({ timeout: 1, memory: 64 })
  const bad = {
    loop: ['timeout', 'exports.main = () => { for (;;); }'],
    sleeper: ['timeout', 'exports.main = () => new Promise(() => {})'],
    heap: ['memory', `exports.main = () => { const all = []; for (;;) all.push(new Array(1e6).fill(all.length)) }`],
    buffers: ['memory', 'exports.main = () => { const all = []; for (;;) all.push(Buffer.alloc(1e7, 1)) }'],
    exit: ['crashed', 'exports.main = () => process.exit(3)'],
    abort: ['crashed', 'exports.main = () => process.abort()'],
    large: ['too_large', `exports.main = () => 'x'.repeat(20e6)`],
    forger: [
      'crashed',
      `exports.main = () => { require('fs').writeSync(4, Buffer.from('\\x05\\0\\0\\0hello')); return new Promise(() => {}) }`,
    ],
    // Sixty idle processes hold more memory than one function may.
    forks: [
      'memory',
      `const { spawn } = require('child_process')
       exports.main = () => { setInterval(() => { for (let n = 0; n < 50; n += 1) spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true }).on('error', () => {}) }, 10); return new Promise(() => {}) }`,
    ],
  } as const
  it.each(Object.entries(bad))(
    '%s',
    async (name, [reason, code]) => {
      await deploy(name, { 'index.js': code, 'config.json': limits })
      const [{ answer }, answers] = await Promise.all([ask(name), Promise.all(Array.from({ length: 5 }, neighbour))])
      expect(answer).toMatchObject({ kind: 'failed', reason })
      expect(answers).toEqual([2, 2, 2, 2, 2])
      expect(await neighbour()).toBe(2)
    },
    30_000,
  )

  it('leaves no process behind', async () => {
    await until(
      'they are gone',
      async () => !(await commandLines()).some((line) => line.includes('setInterval(() => {}, 1000)')),
    )
  })

  it('cannot read the files of the server, nor those of its neighbours', async () => {
    if (process.getuid?.() !== 0) return
    await deploy('thief', {
      'index.js': `const fs = require('fs'), path = require('path')
        const tries = (path) => { try { fs.readdirSync(path); return 'read' } catch (error) { return error.code } }
        exports.main = ({ folders }) => [...folders, path.dirname(process.env.HOME) + '/0', path.dirname(process.env.HOME) + '/1'].filter((each) => each !== process.env.HOME).map(tries)`,
    })
    const { answer } = await ask('thief', { folders: ['/root', '/proc/1/fd'] })
    expect(new Set(resultOf(answer) as string[])).toEqual(new Set(['EACCES']))
  })
})

const commandLines = async (): Promise<readonly string[]> => {
  const { readFile } = await import('node:fs/promises')
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
}

describe(`${TOTAL} invocations at 32 in flight`, () => {
  it('mix no identity and lose no log', async () => {
    await deploy('whoami', {
      'index.js': `exports.main = async (event) => {
        const before = process.env.WX_OPENID
        console.log('begin', before)
        // Goes on after the answer: it must still speak for its own caller.
        setTimeout(() => console.log('late', before === process.env.WX_OPENID), 5)
        await new Promise((resolve) => setTimeout(resolve, event.wait))
        console.log('end', process.env.WX_OPENID)
        return { before, after: process.env.WX_OPENID, key: Object.keys(process.env).includes('WX_OPENID') }
      }`,
    })
    const ids: string[] = []
    let next = 0
    const work = async () => {
      while (next < TOTAL) {
        const n = next
        next += 1
        const { answer, id } = await ask('whoami', { wait: n % 4 }, { env: { WX_OPENID: `o${n}` } })
        ids.push(id)
        expect(resultOf(answer)).toEqual({ before: `o${n}`, after: `o${n}`, key: true })
      }
    }
    await Promise.all(Array.from({ length: 32 }, work))
    expect(new Set(ids).size).toBe(TOTAL)
    await until('late lines are kept', async () => {
      const rows = await functions.logs.read('whoami', { limit: TOTAL * 5 })
      const late = rows.filter((each) => each.message.startsWith('late'))
      return late.length === TOTAL && late.every((each) => each.message === 'late true')
    })
    const rows = await functions.logs.read('whoami', { limit: TOTAL * 5 })
    const texts = new Map<string, string[]>()
    for (const { invocation, message } of rows) texts.set(invocation, [...(texts.get(invocation) ?? []), message])
    for (const id of ids) {
      const own = texts.get(id) ?? []
      const who = own.find((each) => each.startsWith('begin'))?.slice(6)
      expect(own.filter((each) => !each.startsWith('late') && !each.startsWith('{'))).toEqual([
        `begin ${who}`,
        `end ${who}`,
      ])
    }
  }, 120_000)
})

describe('when the server stops', () => {
  it('nothing is left in the temporary folder', async () => {
    await functions.stop()
    const left = (await readdir(tmpdir())).filter((name) => name.startsWith(`teahouse-functions-${process.pid}-`))
    expect(left).toEqual([])
  })
})
