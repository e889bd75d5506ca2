/** All processes that a function started, on Linux: found by the user of its slot, else by its process group. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { Slot } from './launch.ts'

/** The main process and everything that it started. */
const tasksOf = (slot: Slot, pid: number): readonly number[] => {
  if (process.platform !== 'linux') return [pid]
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return all.map(Number).filter((each) => each === pid || belongs(slot, pid, each))
}

const belongs = ({ uid }: Slot, pid: number, other: number): boolean => {
  try {
    if (uid !== null) return statSync(`/proc/${other}`).uid === uid
    // After the name, which may hold anything but is in parentheses: state, parent, group.
    const [, , group] = readFileSync(`/proc/${other}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return Number(group) === pid
  } catch {
    // It has ended meanwhile.
    return false
  }
}

/** Ends all of them. More may be started while they are being killed, so it looks again until none is left. */
export const killTasks = (slot: Slot, pid: number): void => {
  for (let round = 0; round < 10; round += 1) {
    const living = tasksOf(slot, pid).filter((each) => kill(each))
    if (living.length === 0 || process.platform !== 'linux') break
  }
  kill(-pid)
}

/** Whether there was something to kill. */
const kill = (pid: number): boolean => {
  try {
    process.kill(pid, 'SIGKILL')
    // What is dead already, and only waits to be collected, takes signals for ever.
    return pid > 0 && !isZombie(pid)
  } catch {
    return false
  }
}

const isZombie = (pid: number): boolean => {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

const PAGE = 4096

/** MB of memory that they hold together; 0 where that cannot be told. */
export const memoryOf = (slot: Slot, pid: number): number => {
  if (process.platform !== 'linux') return 0
  const pages = (slot.uid === null ? [pid] : tasksOf(slot, pid)).map(residentPages)
  return (pages.reduce((sum, each) => sum + each, 0) * PAGE) / 1024 / 1024
}

const residentPages = (pid: number): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1] ?? 0)
  } catch {
    return 0
  }
}
