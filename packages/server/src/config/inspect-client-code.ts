/** Looks through mini-programs of a project for keys that belong on servers: whoever has the package of a mini-program can take it apart. */
import type { Dirent } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { isObject, parseJson } from '../kernel/json.ts'
import type { Finding } from '../observe/finding.ts'

const CODE = new Set(['.js', '.mjs', '.cjs', '.ts', '.json', '.wxml', '.wxs', '.vue', '.jsx', '.tsx'])
const SKIPPED = new Set(['node_modules', 'miniprogram_npm', 'dist', 'test-output'])
/** Together they bound what a large checkout costs. */
const DEEPEST = 8
const MOST_FILES = 5_000
const LARGEST_FILE = 2 * 1024 * 1024

export interface ClientCodeOptions {
  /** Where to look: the project's folder. */
  readonly project: string
  /** Secrets of this server, by what they are. Empty ones are left out. */
  readonly secrets: Readonly<Record<string, string>>
}

/** One finding for each file of a mini-program that holds a secret. */
export const inspectClientCode = async ({ project, secrets }: ClientCodeOptions): Promise<readonly Finding[]> => {
  const budget = { left: MOST_FILES }
  const files: string[] = []
  await collect(project, { inside: false, depth: 0 }, { budget, files })
  const found: Finding[] = []
  for (const file of files) {
    const what = secretIn(await textOf(file), secrets)
    if (what !== null) found.push(findingOf(relative(project, file), what))
  }
  return found
}

interface Place {
  /** Whether a folder above is a mini-program's. */
  readonly inside: boolean
  readonly depth: number
}
interface Collected {
  readonly budget: { left: number }
  readonly files: string[]
}

const isMiniProgram = (names: ReadonlySet<string>): boolean =>
  names.has('project.config.json') || (names.has('app.json') && (names.has('app.js') || names.has('app.ts')))

const collect = async (folder: string, { inside, depth }: Place, collected: Collected): Promise<void> => {
  if (depth > DEEPEST) return
  const entries: readonly Dirent[] = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const own = inside || isMiniProgram(new Set(entries.map(({ name }) => name)))
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !entry.name.startsWith('.') && !SKIPPED.has(entry.name)) {
      await collect(path, { inside: own, depth: depth + 1 }, collected)
    } else if (own && entry.isFile() && CODE.has(extname(entry.name)) && collected.budget.left > 0) {
      collected.budget.left -= 1
      collected.files.push(path)
    }
  }
}

const textOf = async (file: string): Promise<string> => {
  const { size } = await stat(file).catch(() => ({ size: LARGEST_FILE + 1 }))
  return size > LARGEST_FILE ? '' : readFile(file, 'utf8').catch(() => '')
}

const TOKEN = /\beyJ[\w-]{8,2000}\.([\w-]{8,4000})\.[\w-]{8,2000}/g

const secretIn = (text: string, secrets: ClientCodeOptions['secrets']): string | null => {
  for (const [what, secret] of Object.entries(secrets)) if (secret !== '' && text.includes(secret)) return what
  if (/\bsb_secret_[\w-]{8}/.test(text)) return 'a secret key'
  for (const [, payload = ''] of text.matchAll(TOKEN)) {
    const claims = parseJson(Buffer.from(payload, 'base64url').toString('utf8'))
    if (isObject(claims) && claims.role === 'service_role') return 'a service key'
  }
  return null
}

const findingOf = (file: string, what: string): Finding => ({
  id: 'secret_in_client',
  severity: 'problem',
  what: `${file} holds ${what}: everybody who has the mini-program can read it.`,
  remedy:
    'Use the anon key there. If it was ever published, replace it: start with a new --jwt-secret, and do not name the old one in --previous-jwt-secrets.',
})
