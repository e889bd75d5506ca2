/** `npm run bench [-- name…] [--quick]`: runs benches one after the other, prints their pages, and keeps them below bench/results. */
import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { head, loadNow } from './lib/page.js'

const BENCHES = ['boot', 'rest', 'live', 'storage', 'auth']

const usage = `npm run bench [-- ${BENCHES.join(' | ')} …] [--quick] [--rounds N] [--seconds S]

  --quick    every bench once and briefly, as the smoke test does; nothing is written
  --rounds   how often the variants take turns (3)
  --seconds  how long each is measured (3)
  --socketio address of a socket.io server for the broadcasts of \`live\`: one that gives every event "say" to everybody`

const build = () => {
  const script = fileURLToPath(new URL('../scripts/build.js', import.meta.url))
  const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const settingsFrom = ({ quick, rounds, seconds }) =>
  quick
    ? { quick, rounds: 1, seconds: 0.2, warmSeconds: 0.1 }
    : { quick: false, rounds: Number(rounds ?? 3), seconds: Number(seconds ?? 3), warmSeconds: 0.7 }

const runBench = async (name, settings) => {
  const { run, title } = await import(`./${name}.js`)
  const loadBefore = loadNow()
  const { postgres, body } = await run(settings)
  const date = new Date().toISOString().slice(0, 10)
  const flags = Object.entries(settings.given).map(([flag, value]) =>
    value === true ? `--${flag}` : `--${flag} ${value}`,
  )
  const command = ['npm run bench --', name, ...flags].join(' ')
  const page = `${head({ title, command, date, postgres, loadBefore, loadAfter: loadNow() })}\n${body.join('\n\n')}\n`
  process.stdout.write(`${page}\n`)
  if (settings.quick) return
  const folder = new URL('./results/', import.meta.url)
  await mkdir(folder, { recursive: true })
  await writeFile(new URL(`${date}-${name}.md`, folder), page)
}

const main = async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      socketio: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  const unknown = positionals.filter((name) => !BENCHES.includes(name))
  if (values.help || unknown.length > 0) {
    process.stdout.write(`${unknown.length > 0 ? `There is no bench ${unknown.join(', ')}.\n` : ''}${usage}\n`)
    process.exit(unknown.length > 0 ? 2 : 0)
  }
  build()
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== false))
  const settings = { ...settingsFrom(values), given }
  for (const name of positionals.length > 0 ? positionals : BENCHES) await runBench(name, settings)
}

// Leaving by `exit` ends every process that was started; a signal alone would leave the server behind.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
await main()
