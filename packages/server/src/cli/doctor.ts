/** `teahouse doctor`: looks at data dir, database and exposure, and says what is missing or unsafe, with the way to mend it. */
import type { Config } from '../config/config.ts'
import { inspectClientCode } from '../config/inspect-client-code.ts'
import { inspectDataDir, inspectSecret } from '../config/inspect-data-dir.ts'
import { readRunNote } from '../config/run-file.ts'
import { diagnoseDatabase } from '../db/prepare/diagnose.ts'
import { systemClock } from '../kernel/clock.ts'
import type { Finding } from '../observe/finding.ts'
import { type Terminal, withOwner } from './context.ts'

const ORDER: readonly Finding['severity'][] = ['problem', 'warning', 'note']

/** Prints the findings, the worst first. Answers whether there is no problem among them. */
export const doctor = async (config: Config, terminal: Terminal): Promise<boolean> => {
  const found = await findings(config)
  const sorted = ORDER.flatMap((severity) => found.filter((each) => each.severity === severity))
  const healthy = !sorted.some((each) => each.severity === 'problem')
  if (config.json) terminal.out(JSON.stringify({ healthy, findings: sorted }))
  else terminal.out([...sorted.map(render), summary(sorted)].join('\n'))
  return healthy
}

const findings = async (config: Config): Promise<readonly Finding[]> => {
  const note = await readRunNote(config.dataDir)
  const folder = await inspectDataDir(config.dataDir, systemClock)
  const secret = note !== null ? inspectSecret(note.jwtSecret) : []
  const secrets = {
    'the secret that signs every key': note?.jwtSecret ?? config.jwtSecret ?? '',
    'the AppSecret of WeChat': config.wechat.kind === 'api' ? config.wechat.secret : '',
  }
  const clients = await inspectClientCode({ project: config.project, secrets })
  const all = [...folder, ...secret.filter(({ id }) => !folder.some((each) => each.id === id)), ...clients]
  if (config.databaseUrl === null && note === null) return [...all, NOT_RUNNING]
  const { schemas } = config.api
  return [...all, ...(await withOwner(config, (owner) => diagnoseDatabase(owner, { schemas, clock: systemClock })))]
}

const NOT_RUNNING: Finding = {
  id: 'not_running',
  severity: 'note',
  what: 'No server is running here, so the database was not looked at.',
  remedy: 'npx teahouse start',
}

const render = ({ severity, what, remedy }: Finding): string =>
  `${severity.padEnd(8)} ${what}${remedy === '' ? '' : `\n         ${remedy}`}`

const summary = (all: readonly Finding[]): string => {
  const count = (severity: Finding['severity'], word: string): string => {
    const n = all.filter((each) => each.severity === severity).length
    return `${n} ${word}${n === 1 ? '' : 's'}`
  }
  return all.length === 0
    ? 'All is well.'
    : `${count('problem', 'problem')}, ${count('warning', 'warning')}, ${count('note', 'note')}`
}
