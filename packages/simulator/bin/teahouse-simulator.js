#!/usr/bin/env node
/** Starts the simulator; builds it first when `dist` is missing or older than the sources. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(dirname(fileURLToPath(import.meta.url)))
const newest = (dir) =>
  readdirSync(dir, { withFileTypes: true }).reduce((latest, entry) => {
    const path = join(dir, entry.name)
    return Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs)
  }, 0)

const entry = join(here, 'dist', 'cli', 'main.js')
const sources = join(here, 'src')
const build = () => {
  const script = join(here, '..', '..', 'scripts', 'build.js')
  const compiler = join(here, '..', '..', 'node_modules', 'typescript', 'bin', 'tsc')
  const commands = [existsSync(script) ? [script] : null, existsSync(compiler) ? [compiler, '-b', here] : null]
  for (const command of commands) {
    if (!command) continue
    // stdout belongs to --json; the compiler's words go to stderr.
    spawnSync(process.execPath, command, { cwd: join(here, '..', '..'), stdio: ['ignore', 2, 2] })
    if (existsSync(entry)) return
  }
}
const stale = () => {
  const stamps = ['core', 'node', 'browser'].map((name) => join(here, 'dist', `${name}.tsbuildinfo`))
  return !existsSync(entry) || stamps.some((path) => !existsSync(path) || statSync(path).mtimeMs < newest(sources))
}
// A published package has no sources: what is in dist is what there is.
if (existsSync(sources) && stale()) build()

const { main } = await import('../dist/cli/main.js')
process.exitCode = await main(process.argv.slice(2))
