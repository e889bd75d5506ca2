/** Markdown: tables, numbers for people, and the head that every result page has. */
import { execFileSync } from 'node:child_process'
import { cpus, loadavg, totalmem } from 'node:os'

/** A number with as many digits as it deserves; a dash for what could not be measured. */
export const number = (value, digits = 3) => {
  if (value === null || value === undefined || Number.isNaN(value)) return '–'
  if (value !== 0 && Math.abs(value) < 10 ** (digits - 1)) return String(Number(value.toPrecision(digits)))
  return Math.round(value).toLocaleString('en-US')
}

/** How often `value` is in `base`, as `2.5×`. */
export const times = (value, base) => (value && base ? `${number(value / base)}×` : '–')

/** `value` as a share of `base`. */
export const percent = (value, base) => (value && base ? `${Math.round((100 * value) / base)} %` : '–')

export const table = (head, rows) =>
  [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n')

const commit = () => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  } catch {
    return null
  }
}

/** What a reader must know to judge the figures. No names of machines, no paths. */
export const head = ({ title, command, date, postgres, loadBefore, loadAfter }) => {
  const [first] = cpus()
  const facts = [
    ['Date', date],
    ['Command', `\`${command}\``],
    ['Commit', commit() ?? '–'],
    ['Machine', `${cpus().length} cores (${first?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GB`],
    ['Software', `Node ${process.versions.node}, PostgreSQL ${postgres}, ${process.platform} ${process.arch}`],
    ['Load average (1 min)', `${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after`],
  ]
  return `# ${title}\n\n${table(['', ''], facts)}\n\nServer, PostgreSQL, peers and load generator share this machine. Absolute figures say little; ratios come from rounds in which\nthe variants took turns (median of the rounds).\n`
}

export const loadNow = () => loadavg()[0] ?? 0
