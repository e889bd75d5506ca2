/** Starts the product as its users do, on a folder of its own, and prepares tables and tokens for the benches. */
import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const command = join(repository, 'packages', 'server', 'bin', 'teahouse.js')
const INHERITED = ['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR', 'SHELL']
const START_WITHIN_MS = 120_000

const living = new Set()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

export const temporaryFolder = async () => {
  const path = await mkdtemp(join(tmpdir(), 'teahouse-bench-'))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }) }
}

const firstLine = (child, logs) =>
  new Promise((resolve, reject) => {
    let output = ''
    const timer = setTimeout(() => reject(new Error(`the server said nothing\n${logs()}`)), START_WITHIN_MS)
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text
      const end = output.indexOf('\n')
      if (end < 0) return
      clearTimeout(timer)
      resolve(output.slice(0, end))
    })
    child.once('close', (code) => {
      clearTimeout(timer)
      reject(new Error(`the server ended with ${code}\n${logs()}`))
    })
  })

/** `nodeArgs` go before the command, `args` after it; `config` is the text of supabase/config.toml. */
export const startProduct = async ({ dataDir, nodeArgs = [], args = [], config } = {}) => {
  const own = await temporaryFolder()
  if (config !== undefined) {
    await mkdir(join(own.path, 'supabase'))
    await writeFile(join(own.path, 'supabase', 'config.toml'), config)
  }
  const folder = dataDir ?? join(own.path, 'data')
  const env = Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]))
  const startedAt = performance.now()
  const child = spawn(
    process.execPath,
    [...nodeArgs, command, 'start', '--port', '0', '--json', '--data-dir', folder, ...args],
    { cwd: own.path, env, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  living.add(child)
  let logs = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    logs += text
  })
  const ended = new Promise((resolve) => child.once('close', resolve)).then(async () => {
    living.delete(child)
    await own.remove()
  })
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  try {
    const report = JSON.parse(await firstLine(child, () => logs))
    const lineMs = performance.now() - startedAt
    return { report, lineMs, startedAt, pid: child.pid, dataDir: folder, logs: () => logs, stop }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

/** How to reach the product's database as the product does: by its socket where there is one, else by TCP. */
export const connectionOf = async ({ report }) => {
  const client = new pg.Client(report.databaseUrl)
  await client.connect()
  try {
    const { rows } = await client.query('show unix_socket_directories')
    const url = new URL(report.databaseUrl)
    return {
      host: rows[0].unix_socket_directories.split(',')[0].trim() || url.hostname,
      port: Number(url.port),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: url.pathname.slice(1),
    }
  } finally {
    await client.end()
  }
}

/** Runs SQL as the owner; answers the rows of the last statement. */
export const sql = async ({ report }, text, database) => {
  const url = new URL(report.databaseUrl)
  if (database !== undefined) url.pathname = `/${database}`
  const client = new pg.Client(url.href)
  await client.connect()
  try {
    const result = await client.query(text)
    return (Array.isArray(result) ? result.at(-1) : result).rows
  } finally {
    await client.end()
  }
}

export const postgresVersion = async (product) =>
  (await sql(product, 'show server_version'))[0].server_version.split(' ')[0]

/** A user of the benches, by number. */
export const userId = (index) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`

const FAR_FUTURE = 4_102_444_800

export const claimsOf = (index) =>
  JSON.stringify({ sub: userId(index), role: 'authenticated', aud: 'authenticated', exp: FAR_FUTURE })

/** A signed token of that user. */
export const tokenOf = ({ report }, index) => {
  const encode = (text) => Buffer.from(text).toString('base64url')
  const signed = `${encode('{"alg":"HS256","typ":"JWT"}')}.${encode(claimsOf(index))}`
  return `${signed}.${createHmac('sha256', report.jwtSecret).update(signed).digest('base64url')}`
}
