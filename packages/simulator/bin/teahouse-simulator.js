#!/usr/bin/env node
// Committed plain JavaScript, because npm links no command whose file is absent at install.
// In a checkout it builds what is missing or stale; in an installed package there is nothing to build.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const build = fileURLToPath(new URL('../../../scripts/build.js', import.meta.url))
if (existsSync(build) && existsSync(new URL('../src', import.meta.url))) {
  // stdout belongs to --json: what the build has to say goes to stderr.
  const { status } = spawnSync(process.execPath, [build], { stdio: ['ignore', 2, 2] })
  // Another package that does not compile is no reason to stop: what it said is on stderr.
  if (status !== 0 && !existsSync(new URL('../dist/cli/main.js', import.meta.url))) process.exit(status ?? 1)
}
const { main } = await import('../dist/cli/main.js')
process.exitCode = await main(process.argv.slice(2))
