/** `npm test`: the machine, the build, the checks, then every test. Ends with the line `N passed, N failed`. */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareMachine } from './machine.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)

/** Runs a Node program of a package to its end; a failure ends the whole run. */
const run = (packageName, program, ...args) => {
  const path = join(dirname(require.resolve(`${packageName}/package.json`)), program)
  const { status, signal } = spawnSync(process.execPath, [path, ...args], { cwd: root, stdio: 'inherit' })
  if (status !== 0) {
    process.stderr.write(`${packageName} failed (${signal ?? status})\n`)
    process.exit(status ?? 1)
  }
}

prepareMachine()
const { status: built } = spawnSync(process.execPath, [join(root, 'scripts', 'build.js'), '--force'], {
  stdio: 'inherit',
})
if (built !== 0) process.exit(built ?? 1)
run('@biomejs/biome', 'bin/biome', 'check', '.')
// Sources are checked by the build; these add the tests. The simulator's have to do without Node's types in some folders.
for (const project of ['tsconfig.check.json', 'packages/simulator/tsconfig.test.json'])
  run('typescript', 'bin/tsc', '-p', project)
run('vitest', 'vitest.mjs', 'run', ...process.argv.slice(2))
