/** Accounts: logging in, staying in and being recognised, beside bare routes that do the same with argon2 and jose, and beside both libraries alone. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { startChild } from './lib/child.js'
import { number, percent, table, times } from './lib/page.js'
import { postgresOf } from './lib/processes.js'
import { connectionOf, postgresVersion, sql, startProduct, tokenOf } from './lib/product.js'
import { inRounds } from './lib/stats.js'

export const title = 'Accounts: password, refresh, token, WeChat'

const USERS = 24
/** WeChat allows a hundred logins of one person a minute. */
const PEOPLE = 1_000
/** The sandbox alone is faster than anybody, and knows as many as are named. */
const STRANGERS = 20_000
/** More than the product remembers, so that each of them is verified anew. */
const TOKENS = 12_000
const PASSWORD = 'correct horse'

/** Nobody here is to be held back; the counters are kept all the same, as they are for the public. */
const CONFIG = `[auth.rate_limit]
sign_in_sign_ups = 1000000000
token_refresh = 1000000000
app_logins = 1000000000
`
const NEIGHBOUR = { 'x-forwarded-for': '203.0.113.7' }
const JSON_TYPE = { 'content-type': 'application/json' }

const SCHEMA = `
create schema bench;
create table bench.session (id uuid primary key, user_id uuid not null, token text not null unique, at timestamptz not null default now());
create table bench.person (openid text primary key, id uuid not null, seen timestamptz not null default now());`

/** WeChat's stand-in as a process of its own, so that its work is not counted as the server's. */
const startWechat = async () => {
  const program = fileURLToPath(new URL('../packages/wechat-sandbox/bin/teahouse-wechat-sandbox.js', import.meta.url))
  const child = spawn(process.execPath, [program, '--port', '0', '--json'], { stdio: ['ignore', 'pipe', 'ignore'] })
  process.once('exit', () => child.kill('SIGKILL'))
  const ended = new Promise((resolve) => child.once('close', resolve))
  const line = await new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', resolve)
    ended.then((code) => reject(new Error(`the WeChat sandbox ended with ${code}`)))
  })
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  return { app: JSON.parse(line), pid: child.pid, stop }
}

const signUp = async ({ report }, index) => {
  const response = await fetch(`${report.url}/auth/v1/signup`, {
    method: 'POST',
    headers: { apikey: report.anonKey, ...JSON_TYPE },
    body: JSON.stringify({ email: `user${index}@example.com`, password: PASSWORD }),
  })
  if (!response.ok) throw new Error(`sign-up answered ${response.status}`)
  return response.json()
}

const open = async (settings) => {
  const wechat = await startWechat()
  const { app } = wechat
  const args = ['--dev', '--wechat-api-base', app.url, '--wechat-appid', app.appid, '--wechat-secret', app.secret]
  const limits = ['--trusted-proxies', '127.0.0.1', '--request-limit', '0']
  const product = await startProduct({ config: CONFIG, args: [...args, ...limits] })
  await sql(product, SCHEMA)
  const connection = await connectionOf(product)
  const [load, peer] = await Promise.all(['load/accounts.js', 'peers/accounts.js'].map(startChild))
  const { jwtSecret } = product.report
  const peerUrl = await peer.call('start', { connection, jwtSecret, wechat: app })
  const users = []
  for (let index = 0; index < USERS; index += 1) users.push((await signUp(product, index)).user.id)
  const stop = async () => {
    await Promise.all([load.stop(), peer.stop()])
    await product.stop()
    await wechat.stop()
  }
  return { product, wechat, load, peer, peerUrl, users, settings, codes: 0, stop }
}

/** Rates, latencies and the processor time of server and PostgreSQL for each request. */
const measured = async (bench, call, job) => {
  const { seconds, warmSeconds } = bench.settings
  const own = job.url === bench.product.report.url
  const sandbox = job.url === bench.wechat.app.url
  const groups = [
    [own ? bench.product.pid : sandbox ? bench.wechat.pid : bench.peer.pid],
    postgresOf(bench.product.pid),
  ]
  const { rate, p50, p99, spent } = await bench.load.call(call, { ...job, seconds, warmSeconds, groups })
  return { rate, p50, p99, serverCpu: spent[0], postgresCpu: sandbox ? null : spent[1] }
}

const alone = async ({ peer, settings }, what, inFlight) => {
  const { seconds, warmSeconds } = settings
  const { rate, p50, p99, cpu } = await peer.call('alone', { what, inFlight, seconds, warmSeconds })
  return { rate, p50, p99, serverCpu: cpu, postgresCpu: null }
}

const ownHeaders = ({ product }) => ({ apikey: product.report.anonKey, ...NEIGHBOUR, ...JSON_TYPE })

const passwords = (path, headers) =>
  Array.from({ length: USERS }, (_, index) => ({
    method: 'POST',
    path,
    headers,
    body: JSON.stringify({ email: `user${index}@example.com`, password: PASSWORD }),
  }))

/** Refresh tokens for so many sessions, of each server's own making. */
const sessionsOf = async ({ product, peerUrl, users }, own, count) => {
  if (!own) {
    const body = JSON.stringify({ count, user: users[0] })
    return (await fetch(`${peerUrl}/sessions`, { method: 'POST', body })).json()
  }
  const { url, anonKey } = product.report
  // Each of somebody else: ten attempts on one account at once are as many as are allowed.
  const logins = passwords('/auth/v1/token?grant_type=password', { apikey: anonKey, ...JSON_TYPE }).slice(0, count)
  const answers = await Promise.all(logins.map((login) => fetch(url + login.path, login)))
  return Promise.all(answers.map(async (each) => (await each.json()).refresh_token))
}

/** Logins that have not been used yet. A name is all that a person of the sandbox needs. */
const codesFor = (bench, path, headers, more = '') => {
  const count = bench.settings.quick ? 2_000 : 24_000
  return Array.from({ length: count }, () => {
    bench.codes += 1
    const name = more === '' ? `p${bench.codes % PEOPLE}` : `s${bench.codes % STRANGERS}`
    const code = `wxcode:${name}:${bench.codes}`
    return {
      method: 'GET',
      path: `${path}?${more}${new URLSearchParams({ [more ? 'js_code' : 'code']: code })}`,
      headers,
    }
  })
}

/** Everybody has been here once: what is measured are people who come back. */
const greetPeople = async (bench) => {
  const { url } = bench.product.report
  const logins = codesFor(bench, '/auth/v1/wechat_mini/login', ownHeaders(bench)).slice(0, PEOPLE)
  for (let at = 0; at < logins.length; at += 20)
    await Promise.all(
      logins.slice(at, at + 20).map(async ({ path, headers }) => {
        const response = await fetch(url + path, { headers })
        if (!response.ok) throw new Error(`a first login answered ${response.status}`)
        await response.arrayBuffer()
      }),
    )
}

/** The parts: each names its variants, and how one of them is measured. */
const PARTS = {
  'password login': {
    variants: ['teahouse', 'bare route', 'argon2 alone'],
    connections: [1, 8],
    base: 'argon2 alone',
    measure: (bench, variant, connections) => {
      if (variant === 'argon2 alone') return alone(bench, 'argon2', connections)
      const own = variant === 'teahouse'
      const requests = own
        ? passwords('/auth/v1/token?grant_type=password', ownHeaders(bench))
        : passwords('/password', {})
      return measured(bench, 'spread', { url: own ? bench.product.report.url : bench.peerUrl, requests, connections })
    },
  },
  refresh: {
    variants: ['teahouse', 'bare route', 'jose signs HS256'],
    connections: [1, 16],
    base: 'bare route',
    measure: async (bench, variant, connections) => {
      if (variant === 'jose signs HS256') return alone(bench, 'sign HS256', connections)
      const own = variant === 'teahouse'
      const tokens = await sessionsOf(bench, own, connections)
      const where = own
        ? { url: bench.product.report.url, path: '/auth/v1/token?grant_type=refresh_token', headers: ownHeaders(bench) }
        : { url: bench.peerUrl, path: '/refresh', headers: {} }
      return measured(bench, 'chain', { ...where, tokens, connections })
    },
  },
  'token verification': {
    variants: [
      'teahouse, no token',
      'teahouse, a known token',
      'teahouse, a new token each time',
      'bare route, no token',
      'bare route, jose each time',
      'jose verifies HS256',
      'jose verifies ES256',
    ],
    connections: [16],
    base: 'teahouse, no token',
    measure: (bench, variant, connections) => {
      if (variant.startsWith('jose')) return alone(bench, variant.replace('jose verifies', 'verify'), connections)
      const { url } = bench.product.report
      const [server, way] = variant.split(', ')
      if (server === 'bare route') {
        const path = way === 'no token' ? '/none' : '/verify'
        const headers = { authorization: `Bearer ${tokenOf(bench.product, 1)}` }
        return measured(bench, 'spread', { url: bench.peerUrl, requests: [{ path, headers }], connections })
      }
      const count = way === 'a new token each time' ? (bench.settings.quick ? 500 : TOKENS) : 1
      const requests = Array.from({ length: count }, (_, index) => ({
        path: '/storage/v1/status',
        headers: {
          ...NEIGHBOUR,
          ...(way === 'no token' ? {} : { authorization: `Bearer ${tokenOf(bench.product, index)}` }),
        },
      }))
      return measured(bench, 'spread', { url, requests, connections })
    },
  },
  'WeChat login': {
    variants: ['teahouse', 'bare route', 'the sandbox alone'],
    connections: [1, 16],
    base: 'bare route',
    measure: (bench, variant, connections) => {
      const {
        product,
        peerUrl,
        wechat: { app },
      } = bench
      if (variant === 'teahouse') {
        const requests = codesFor(bench, '/auth/v1/wechat_mini/login', ownHeaders(bench))
        return measured(bench, 'spread', { url: product.report.url, requests, connections })
      }
      if (variant === 'bare route')
        return measured(bench, 'spread', { url: peerUrl, requests: codesFor(bench, '/wechat', {}), connections })
      const credentials = `appid=${app.appid}&secret=${app.secret}&grant_type=authorization_code&`
      const requests = codesFor(bench, '/sns/jscode2session', {}, credentials)
      return measured(bench, 'spread', { url: app.url, requests, connections })
    },
  },
}

const HEAD = ['', 'per second', 'p50 ms', 'p99 ms', 'server CPU µs', 'PostgreSQL CPU µs', 'rate', 'server CPU']

const section = async (bench, name, connections) => {
  const { variants, base, measure } = PARTS[name]
  const results = await inRounds(bench.settings.rounds, variants, (variant) => measure(bench, variant, connections))
  const of = (variant) => results.get(variant)
  const rows = variants.map((variant) => {
    const { rate, p50, p99, serverCpu, postgresCpu } = of(variant)
    const ratios = [percent(rate, of(base).rate), times(serverCpu, of(base).serverCpu)]
    return [variant, number(rate), number(p50), number(p99), number(serverCpu), number(postgresCpu), ...ratios]
  })
  const head = [...HEAD.slice(0, 6), `rate of ${base}`, `server CPU of ${base}`]
  const heading = `### ${name}, ${connections} connection${connections === 1 ? '' : 's'}`
  return { name, connections, of, text: `${heading}\n\n${table(head, rows)}` }
}

/** What the page is asked for first. */
const summary = (all) => {
  const find = (name, connections) => all.find((each) => each.name === name && each.connections === connections)
  const [password, verification] = [find('password login', 8), find('token verification', 16)]
  const [refresh, wechat] = [find('refresh', 16), find('WeChat login', 16)]
  const cpu = (part, left, right) => part.of(left).serverCpu - part.of(right).serverCpu
  const rows = [
    ['password logins, of argon2 alone', percent(password.of('teahouse').rate, password.of('argon2 alone').rate)],
    ['refreshes, of the bare route', percent(refresh.of('teahouse').rate, refresh.of('bare route').rate)],
    ['WeChat logins, of the bare route', percent(wechat.of('teahouse').rate, wechat.of('bare route').rate)],
    [
      'what a known token costs a request',
      `${number(cpu(verification, 'teahouse, a known token', 'teahouse, no token'))} µs`,
    ],
    [
      'what a new token costs a request; jose alone',
      `${number(cpu(verification, 'teahouse, a new token each time', 'teahouse, no token'))} µs; ${number(verification.of('jose verifies HS256').serverCpu)} µs`,
    ],
  ]
  return `## Summary\n\n${table(['', 'measured'], rows)}`
}

const EXPLANATION = `- **teahouse**: the whole server, behind a proxy's address, so that every limit of the public is counted (in PostgreSQL, for all nodes); only the limits themselves are out of reach.
- **bare route**: a \`node:http\` route with one look-up, \`@node-rs/argon2\` with the same parameters (19 MiB, two passes), one insert or update of a session, and a token signed by jose. No limits, no bans, no reuse interval, no families, no metadata in the token.
- **alone**: the library in a loop of one process, so many calls at a time.
- **token verification**: \`GET /storage/v1/status\`, which does nothing but recognise its caller. A known token is remembered by its hash; ${TOKENS.toLocaleString('en-US')} different ones are more than are remembered.
- **WeChat login**: ${PEOPLE} people who come back, each code used once; the sandbox is a process of its own. Its rate alone is the ceiling of both.

Processor time is that of the process (user and kernel, threads of argon2 included) in the measured window, divided by what was answered in it.`

export const run = async (settings) => {
  const bench = await open(settings)
  try {
    const postgres = await postgresVersion(bench.product)
    // Before anything counts: code is compiled, connections are made, everybody has been here once.
    const brief = { ...bench, settings: { ...settings, seconds: 1, warmSeconds: 0.2, rounds: 1 } }
    if (!settings.quick) {
      await greetPeople(bench)
      brief.codes = bench.codes
      for (const { variants, measure } of Object.values(PARTS))
        for (const each of variants) await measure(brief, each, 8)
      bench.codes = brief.codes
    }
    const all = []
    for (const [name, { connections }] of Object.entries(PARTS))
      for (const count of settings.quick ? connections.slice(-1) : connections)
        all.push(await section(bench, name, count))
    return { postgres, body: [summary(all), `## Figures\n\n${EXPLANATION}`, ...all.map(({ text }) => text)] }
  } finally {
    await bench.stop()
  }
}
