/** Builds every package, when a source is newer than the last build. Prints nothing when there is nothing to do. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = join(root, 'node_modules', '.teahouse-build')

/** The newest modification time below a folder, milliseconds. */
const newest = (folder) => {
  let latest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || /\.(test|bench)\.ts$/.test(entry.name)) continue
    latest = Math.max(latest, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs)
  }
  return latest
}

const packages = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name))
const sources = packages.map((folder) => join(folder, 'src')).filter((folder) => existsSync(folder))
const built = packages.every((folder) => !existsSync(join(folder, 'tsconfig.json')) || existsSync(join(folder, 'dist')))
const fresh = built && existsSync(stamp) && statSync(stamp).mtimeMs > Math.max(...sources.map(newest))

if (!fresh || process.argv.includes('--force')) {
  const before = Date.now()
  const tsc = createRequire(import.meta.url)
    .resolve('typescript/package.json')
    .replace(/package\.json$/, 'bin/tsc')
  // Results go to stderr: a command that builds first still prints only its own output.
  const { status } = spawnSync(process.execPath, [tsc, '-b'], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) process.exit(status ?? 1)
  writeFileSync(stamp, '')
  process.stderr.write(`built in ${((Date.now() - before) / 1000).toFixed(1)} s\n`)
}
