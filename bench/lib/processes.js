/** What Linux tells about processes: memory, processor time, children. Elsewhere every answer is null, and the pages say so. */
import { readdirSync, readFileSync } from 'node:fs'

const read = (path) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** Fields of /proc/PID/stat after the name, which may hold spaces. */
const statOf = (pid) => {
  const text = read(`/proc/${pid}/stat`)
  if (text === null) return null
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }
}

const TICKS_PER_SECOND = 100

/** Processor seconds of the processes so far, in user and kernel mode. */
export const cpuSecondsOf = (pids) => {
  const all = pids.map(statOf).filter((each) => each !== null)
  return all.length === 0 ? null : all.reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND
}

/** Every process below `pid`. */
export const descendantsOf = (pid) => {
  const children = new Map()
  let entries = []
  try {
    entries = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    // Not Linux.
  }
  for (const each of entries.map(Number)) {
    const parent = statOf(each)?.parent
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), each])
  }
  const below = (from) => (children.get(from) ?? []).flatMap((each) => [each, ...below(each)])
  return below(pid)
}

/** The PostgreSQL processes that a server started. */
export const postgresOf = (pid) =>
  descendantsOf(pid).filter((each) => /\bpostgres\b/.test(read(`/proc/${each}/cmdline`)?.split('\0')[0] ?? ''))

const MEGABYTE = 1024 * 1024

const kilobytes = (text, name) => {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text ?? '')?.[1]
  return found === undefined ? null : Number(found) * 1024
}

/** Resident memory of one process in MB. */
export const rssOf = (pid) => {
  const bytes = kilobytes(read(`/proc/${pid}/status`), 'VmRSS')
  return bytes === null ? null : bytes / MEGABYTE
}

/** Memory of processes that share pages: each page is split among its users, so the sum counts it once. MB. */
export const pssOf = (pids) => {
  const all = pids.map((pid) => kilobytes(read(`/proc/${pid}/smaps_rollup`), 'Pss')).filter((each) => each !== null)
  return all.length === 0 ? null : all.reduce((sum, each) => sum + each, 0) / MEGABYTE
}

/** Looks at a process's memory until the returned function is called, which answers the peak in MB. */
export const watchRss = (pid) => {
  let peak = rssOf(pid) ?? 0
  const timer = setInterval(() => {
    peak = Math.max(peak, rssOf(pid) ?? 0)
  }, 20)
  return () => {
    clearInterval(timer)
    return Math.max(peak, rssOf(pid) ?? 0)
  }
}
