/** Every bench runs from its beginning to its end and prints its ratios. What the figures are is not a test's business. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const program = fileURLToPath(new URL('main.js', import.meta.url))

const runQuickly = async (name: string): Promise<{ readonly code: number | null; readonly output: string }> => {
  const child = spawn(process.execPath, [program, name, '--quick'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const take = (text: string) => {
    output += text
  }
  child.stdout.setEncoding('utf8').on('data', take)
  child.stderr.setEncoding('utf8').on('data', take)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output }
}

const BENCHES = [
  { name: 'boot', parts: ['cold', 'warm', 'at rest after the start', 'KB per socket'], ratio: /target/ },
  {
    name: 'rest',
    parts: ['get by key, 1 connection', 'list 20 rows, 16 connections', 'insert, 16', 'µs/request', 'autocannon'],
    ratio: /of the same batch \| ≥ 75 % \| \d+ %/,
  },
  {
    name: 'live',
    parts: [
      'From a commit to the sockets',
      'One change among many subscriptions',
      'KB per socket',
      'From an insert to its event',
      'a published table, one subscriber',
      'events/s arrived',
      'ws, one frame',
    ],
    ratio: /teahouse \|.*\d+ % \| [\d.]+×/,
  },
  {
    name: 'storage',
    parts: [
      'upload of 1 KB',
      'download of 8 MB',
      'signed URL',
      'resumable',
      'with MD5',
      'Thumbnails',
      'memory of the server',
    ],
    ratio: /of bare node streams \| ≥ 80 % \| \d+ %/,
  },
  {
    name: 'auth',
    parts: ['password login, 8', 'refresh, 16', 'jose verifies ES256', 'WeChat login, 16', 'the sandbox alone'],
    ratio: /password logins, of argon2 alone \| \d+ %/,
  },
]

it.each(BENCHES)('bench $name runs and prints its ratios', { timeout: 300_000 }, async ({ name, parts, ratio }) => {
  const { code, output } = await runQuickly(name)
  expect(code, output).toBe(0)
  for (const part of parts) expect(output).toContain(part)
  expect(output).toMatch(ratio)
  expect(output).not.toMatch(/NaN|undefined|Infinity/)
})
