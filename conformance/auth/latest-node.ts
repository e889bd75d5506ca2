/** Runs the same tests once more in the Node that the latest client asks for, and brings their results back. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporaryFolder } from '../support/server.ts'
import type { Results } from './recorder.ts'

const VARIABLE = 'TEAHOUSE_LATEST_RESULTS'
const file = process.env[VARIABLE]

/** Whether this is the run in the other Node. */
export const inLatestNode = file !== undefined

/** In the other Node: writes down what was found. */
export const handResultsOver = async (results: Results): Promise<void> => {
  if (file !== undefined) await writeFile(file, JSON.stringify({ node: process.versions.node, results }))
}

const require = createRequire(import.meta.url)

/** Installed as a package, for the platforms that have one. */
const node22 = (): string => {
  const name = `node22-${process.platform}-${process.arch}`
  const path = join(dirname(require.resolve(`${name}/package.json`)), 'bin', 'node')
  if (!existsSync(path)) throw new Error(`${name} has no bin/node`)
  return path
}

/** Rejects with the other run's report when a test fails there. */
export const latestResults = async (): Promise<Results> => {
  const folder = await temporaryFolder()
  const written = join(folder.path, 'results.json')
  try {
    const vitest = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs')
    const config = fileURLToPath(new URL('latest-node.config.ts', import.meta.url))
    const args = [vitest, 'run', '--config', config, '--reporter', 'dot']
    const env = { ...process.env, [VARIABLE]: written, NO_COLOR: '1' }
    await promisify(execFile)(node22(), args, { env, maxBuffer: 10_000_000 }).catch((error: unknown) => {
      const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string }
      throw new Error(`the tests failed in the latest Node\n${stdout}\n${stderr}`)
    })
    // Written by `handResultsOver`.
    const { node, results } = JSON.parse(await readFile(written, 'utf8')) as { node: string; results: Results }
    if (!node.startsWith('22.')) throw new Error(`that was Node ${node}`)
    return results
  } finally {
    await folder.remove()
  }
}
