/** Every method of the three official clients against a started server, and the list of what passes. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import ws from 'ws'
import type { TestServer } from '../support/server.ts'
import { coverage } from './coverage.ts'
import { checkModern } from './modern.ts'
import type { Result } from './tools.ts'
import { checkPhone, startWorld } from './world.ts'

let server: TestServer
beforeAll(async () => {
  server = await startWorld()
})
afterAll(() => server.stop())

/** The Node that the latest client asks for, installed as a package for the platforms that have one. */
const node22 = (): string => {
  const name = `node22-${process.platform}-${process.arch}`
  const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`)
  const file = join(dirname(manifest), 'bin', 'node')
  if (!existsSync(file)) throw new Error(`${name} has no bin/node`)
  return file
}

const CLIENTS: Readonly<Record<string, () => Promise<readonly Result[]>>> = {
  'supabase-wechat-stable-v2 2.2.0 (mini-program)': () => checkPhone(server.report),
  'supabase-js 2.109.0 (Node 20)': () => checkModern(createClient, { ...server.report, transport: ws }),
  'supabase-js 2.119.0 (Node 22)': async () => {
    const { url, anonKey } = server.report
    const script = fileURLToPath(new URL('./modern.ts', import.meta.url))
    const args = ['--experimental-strip-types', '--no-warnings', script, 'supabase-js-latest', url, anonKey]
    const { stdout } = await promisify(execFile)(node22(), args, { maxBuffer: 10_000_000 })
    // Written by the script as this list.
    return JSON.parse(stdout) as readonly Result[]
  },
}

const all = new Map<string, readonly Result[]>()

it.each(Object.entries(CLIENTS))(
  '%s',
  async (name, check) => {
    const results = await check()
    all.set(name, results)
    expect(results.filter(({ outcome }) => outcome === 'gap')).toEqual([])
  },
  120_000,
)

it('writes down what passes', async () => {
  await expect(coverage(all)).toMatchFileSnapshot('./COVERAGE.md')
})
