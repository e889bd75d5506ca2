/**
 * `npm run soak`: every test that can look longer, looking longer (TEAHOUSE_SOAK=1), one file after the other, and a dated page under
 * conformance/reports. Words choose files by a part of their path, `!word` leaves files out: `npm run soak -- ledger`, `npm run soak -- '!ledger'`.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareMachine } from './machine.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')

/** Property tests take their number of runs from arbitraries.ts; the others read the variable themselves. */
const LOOKS_LONGER = /TEAHOUSE_SOAK|\/arbitraries\.ts'/
const SKIPPED = new Set(['node_modules', 'dist', '.git'])

const testFiles = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : testFiles(path)
    return entry.name.endsWith('.test.ts') ? [path] : []
  })

const words = process.argv.slice(2)
const wanted = words.filter((word) => !word.startsWith('!'))
const unwanted = words.filter((word) => word.startsWith('!')).map((word) => word.slice(1))
const all = ['packages', 'conformance', 'bench']
  .flatMap((folder) => testFiles(join(root, folder)))
  .filter((path) => LOOKS_LONGER.test(readFileSync(path, 'utf8')))
  .map((path) => relative(root, path))
  .sort()
const chosen = all.filter(
  (path) =>
    (wanted.length === 0 || wanted.some((word) => path.includes(word))) &&
    !unwanted.some((word) => path.includes(word)),
)
if (chosen.length === 0) {
  process.stderr.write(`no soak has ${words.join(' ')} in its path; there are:\n${all.join('\n')}\n`)
  process.exit(2)
}

prepareMachine()
const { status: built } = spawnSync(process.execPath, [join(root, 'scripts', 'build.js')], { stdio: 'inherit' })
if (built !== 0) process.exit(built ?? 1)

const folder = mkdtempSync(join(tmpdir(), 'teahouse-soak-'))
const results = join(folder, 'results.json')
const began = Date.now()
const { status } = spawnSync(
  process.execPath,
  [
    vitest,
    'run',
    ...chosen,
    '--no-file-parallelism',
    // A soak takes as long as it takes; what has a limit of its own keeps it.
    '--testTimeout=7200000',
    '--reporter=verbose',
    '--reporter=json',
    `--outputFile.json=${results}`,
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, TEAHOUSE_SOAK: '1' } },
)

/** What vitest noted; null when it did not come that far. */
const readResults = () => {
  try {
    return JSON.parse(readFileSync(results, 'utf8')).testResults
  } catch {
    return null
  }
}

const noted = readResults()
rmSync(folder, { recursive: true, force: true })
if (noted === null) {
  process.stderr.write('the soak ended before it had results\n')
  process.exit(status || 1)
}

const count = (tests, state) => tests.filter((test) => test.status === state).length
const rows = noted
  .map(({ name, status: state, assertionResults: tests, startTime, endTime, message }) => ({
    path: relative(root, name),
    passed: count(tests, 'passed'),
    // A file that could not be loaded has no tests to count, yet it is a failure.
    failed: count(tests, 'failed') + (state === 'failed' && tests.length === 0 ? 1 : 0),
    seconds: Math.round((endTime - startTime) / 1000),
    failures: [
      ...tests
        .filter((test) => test.status === 'failed')
        .map((test) => `${test.fullName}: ${(test.failureMessages[0] ?? '').split('\n')[0]}`),
      ...(tests.length === 0 && message ? [message.split('\n')[0]] : []),
    ],
  }))
  .sort((left, right) => (left.path < right.path ? -1 : 1))
const sum = (pick) => rows.reduce((total, row) => total + pick(row), 0)
const failures = rows.flatMap((row) => row.failures.map((line) => `- ${row.path}: ${line}`))
const date = new Date(began).toISOString().slice(0, 10)
const page = `# Soak, ${date}

${rows.length} of ${all.length} files that look longer under \`TEAHOUSE_SOAK=1\`${words.length > 0 ? ` (\`npm run soak -- ${words.join(' ')}\`)` : ''}, in ${Math.round((Date.now() - began) / 60_000)} minutes. Node ${process.version}, ${cpus().length} cores, shared with other work.
The rounds of the ledgers have a page of their own: [ledger/reports](../ledger/reports).

| file | passed | failed | seconds |
|---|--:|--:|--:|
${rows.map(({ path, passed, failed, seconds }) => `| ${path} | ${passed} | ${failed} | ${seconds} |`).join('\n')}
| **all** | ${sum((row) => row.passed)} | ${sum((row) => row.failed)} | ${sum((row) => row.seconds)} |

${failures.length === 0 ? 'Nothing failed.' : `Failures:\n\n${failures.join('\n')}`}
`
const reports = join(root, 'conformance', 'reports')
mkdirSync(reports, { recursive: true })
const path = join(reports, `soak-${date}.md`)
writeFileSync(path, page)
process.stdout.write(`\n${page}\nkept as ${relative(root, path)}\n`)
process.exit(status ?? 1)
