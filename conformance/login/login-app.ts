/** The login example on a started server: the simulator's own command with the sandbox's address, and what the tests ask of both. */
import { type ChildProcess, spawn } from 'node:child_process'
import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { repository, type StartReport, temporaryFolder } from '../support/server.ts'

export interface LoginApp {
  readonly url: string
  stop(): Promise<void>
}

/** Copies the example aside, fills in its two values, and serves it as the README tells a person to. */
export const serveLoginExample = async (report: StartReport): Promise<LoginApp> => {
  const folder = await temporaryFolder()
  const project = join(folder.path, 'login')
  const source = join(repository, 'examples', 'login')
  await cp(source, project, { recursive: true, filter: (path) => !path.includes('node_modules') })
  await symlink(join(repository, 'node_modules'), join(folder.path, 'node_modules'))
  const file = join(project, 'lib', 'supabase.js')
  const text = await readFile(file, 'utf8')
  await writeFile(
    file,
    text.replace('url = ""', `url = "${report.url}"`).replace('key = ""', `key = "${report.anonKey}"`),
  )
  const bin = join(repository, 'packages', 'simulator', 'bin', 'teahouse-simulator.js')
  const wechat = ['--wechat', report.wechatSandboxUrl ?? '', '--appid', report.appId ?? '']
  const child = spawn(process.execPath, [bin, project, ...wechat, '--json', '--no-watch'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    url: await urlOf(child),
    stop: async () => {
      child.kill('SIGTERM')
      await ended
      await folder.remove()
    },
  }
}

const urlOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    if (child.stdout === null) return reject(new Error('the simulator has no output'))
    const lines = createInterface({ input: child.stdout })
    // The simulator's own report: one line with its url.
    lines.once('line', (line) => resolve((JSON.parse(line) as { url: string }).url))
    lines.once('close', () => reject(new Error('the simulator ended before it served')))
  })

/** The sandbox's control API. */
export const sandboxOf = ({ wechatSandboxUrl }: StartReport) => {
  const url = wechatSandboxUrl ?? ''
  const send = async (method: string, path: string, body?: object): Promise<unknown> => {
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const response = await fetch(url + path, { method, ...init })
    if (!response.ok) throw new Error(`the sandbox answered ${response.status}: ${await response.text()}`)
    return response.json()
  }
  return {
    fault: (fault: object) => send('POST', '/sandbox/faults', fault),
    person: (name: string, changes: object) => send('POST', `/sandbox/people/${name}`, changes),
    openidOf: async (name: string): Promise<string> => {
      const { apps } = (await send('GET', `/sandbox/people/${name}`)) as { apps: { openid: string }[] }
      return apps[0]?.openid ?? ''
    },
    /** How often the server asked WeChat for something. */
    asked: async (path: string): Promise<number> => {
      const { entries } = (await send('GET', `/sandbox/journal?path=${path}`)) as { entries: unknown[] }
      return entries.length
    },
  }
}

/** One statement as the database's owner. */
export const ask = async (report: StartReport, text: string, values: readonly unknown[] = []): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: report.databaseUrl })
  await client.connect()
  try {
    return (await client.query(text, [...values])).rows
  } finally {
    await client.end()
  }
}
