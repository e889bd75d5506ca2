/** Builds every package, when a source is newer than the last build. Prints nothing when there is nothing to do. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = join(root, 'node_modules', '.teahouse-build')
const lockFile = join(root, 'node_modules', '.teahouse-build.lock')

/** The newest modification time below a folder, milliseconds. */
const newest = (folder) => {
  let latest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || /\.(test|bench)\.ts$/.test(entry.name)) continue
    latest = Math.max(latest, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs)
  }
  return latest
}

// What `tsc -b` builds is what the root's tsconfig.json refers to.
const { references } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'))
const packages = references.map(({ path }) => join(root, path))
const sources = packages.map((folder) => join(folder, 'src'))
const isFresh = () =>
  packages.every((folder) => existsSync(join(folder, 'dist'))) &&
  existsSync(stamp) &&
  statSync(stamp).mtimeMs > Math.max(...sources.map(newest))

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const isAbandoned = () => {
  try {
    // Between making the file and writing the pid it is empty for a moment.
    return Date.now() - statSync(lockFile).mtimeMs > 1_000 && !isAlive(Number(readFileSync(lockFile, 'utf8')))
  } catch {
    return false
  }
}

/** Takes the lock file, waiting for a build that another command is running; one whose process is gone does not count. */
const lock = () => {
  for (;;) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: 'wx' })
      process.once('exit', () => rmSync(lockFile, { force: true }))
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      if (isAbandoned()) rmSync(lockFile, { force: true })
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    }
  }
}

const force = process.argv.includes('--force')
if (force || !isFresh()) {
  lock()
  // Another command may have built while this one waited.
  if (!force && isFresh()) process.exit(0)
  const before = Date.now()
  const tsc = createRequire(import.meta.url)
    .resolve('typescript/package.json')
    .replace(/package\.json$/, 'bin/tsc')
  // Results go to stderr: a command that builds first still prints only its own output.
  const { status } = spawnSync(process.execPath, [tsc, '-b'], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) process.exit(status ?? 1)
  // What a package ships besides the compiler's output. The server does without: a failure here does not keep it from starting.
  for (const script of packages.map((folder) => join(folder, 'scripts', 'bundle.js')).filter(existsSync))
    if (spawnSync(process.execPath, [script], { stdio: ['ignore', 2, 2] }).status !== 0)
      process.stderr.write(`${script} failed\n`)
  writeFileSync(stamp, '')
  // What was saved while the compiler ran may not be in the result.
  utimesSync(stamp, before / 1000, before / 1000)
  process.stderr.write(`built in ${((Date.now() - before) / 1000).toFixed(1)} s\n`)
}
