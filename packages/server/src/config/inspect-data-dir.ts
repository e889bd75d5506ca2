/** Looks at a data dir and the secret in it, and says what is unsafe or runs out. Changes nothing. */
import { readFile, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { DEMO_SECRET } from '../identity/demo-keys.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Finding } from '../observe/finding.ts'
import { RUN_FILE } from './run-file.ts'
import { SECRET_FILE } from './secrets.ts'

/** Files that hold a secret; the last one is the database owner's password. */
const SECRET_FILES = [SECRET_FILE, RUN_FILE, 'postgres.secret']

const OTHERS = 0o077

/** Everything worth knowing about the folder and the machine's clock. */
export const inspectDataDir = async (dataDir: string, clock: Clock): Promise<readonly Finding[]> => {
  const folder = await modeOf(dataDir)
  if (folder === null) {
    return [
      {
        id: 'no_data_dir',
        severity: 'note',
        what: `There is no data dir ${dataDir} yet.`,
        remedy: 'npx teahouse start',
      },
    ]
  }
  const files = await Promise.all(SECRET_FILES.map((name) => fileFindings(join(dataDir, name))))
  return [
    ...folderFindings(dataDir, folder),
    ...files.flat(),
    ...(await spaceFindings(dataDir)),
    ...timeFindings(clock),
  ]
}

/** What can be said of a secret that signs tokens. */
export const inspectSecret = (secret: string): readonly Finding[] => {
  const remedy =
    'Remove the file jwt-secret, or set another TEAHOUSE_JWT_SECRET, and restart: all keys and sessions change with it.'
  if (secret === DEMO_SECRET) {
    return [
      {
        id: 'demo_secret',
        severity: 'problem',
        what: "The JWT secret is that of Supabase's public examples: everyone can sign keys.",
        remedy,
      },
    ]
  }
  // 32 bytes of an alphabet of 64 have about 26 different ones; words have more than ten.
  if (new Set(secret).size > 10) return []
  return [
    {
      id: 'weak_secret',
      severity: 'problem',
      what: 'The JWT secret repeats few characters: it can be guessed.',
      remedy,
    },
  ]
}

const modeOf = async (path: string): Promise<number | null> => {
  try {
    return (await stat(path)).mode & 0o777
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

const folderFindings = (path: string, mode: number): readonly Finding[] =>
  (mode & OTHERS) === 0 ? [] : [open('open_data_dir', 'warning', path, 700)]

const fileFindings = async (path: string): Promise<readonly Finding[]> => {
  const mode = await modeOf(path)
  if (mode === null) return []
  if ((mode & OTHERS) !== 0) return [open('open_secret', 'problem', path, 600)]
  return path.endsWith(SECRET_FILE) ? inspectSecret((await readFile(path, 'utf8')).trim()) : []
}

const open = (id: string, severity: Finding['severity'], path: string, wanted: number): Finding => ({
  id,
  severity,
  what: `Other users of this machine can look into ${path}.`,
  remedy: `chmod ${wanted} ${path}`,
})

const GIB = 1024 ** 3

const spaceFindings = async (path: string): Promise<readonly Finding[]> => {
  const { bavail, bsize } = await statfs(path)
  const free = bavail * bsize
  if (free >= GIB) return []
  const what = `The disk of ${path} has ${Math.round(free / 1024 ** 2)} MiB left.`
  return [
    {
      id: 'disk_space',
      severity: free < GIB / 4 ? 'problem' : 'warning',
      what,
      remedy: 'Make room: without it, PostgreSQL stops taking writes.',
    },
  ]
}

// The keys were issued on the first day of 2025.
const EARLIEST = Date.UTC(2025, 0, 1)

const timeFindings = (clock: Clock): readonly Finding[] =>
  clock.now() >= EARLIEST
    ? []
    : [
        {
          id: 'clock',
          severity: 'problem',
          what: `The clock of this machine says ${new Date(clock.now()).toISOString()}.`,
          remedy: 'Set the clock: expiry of tokens depends on it.',
        },
      ]
