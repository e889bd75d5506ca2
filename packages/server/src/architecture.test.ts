/** Checks the layers of ARCHITECTURE.md against the imports that the code really has. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('.', import.meta.url))

/** A folder may import from lower levels, from itself, and from the peers of its own level that are named here. */
const LEVELS: Readonly<Record<string, number>> = {
  kernel: 0,
  sql: 0,
  observe: 1,
  db: 1,
  bus: 1,
  expr: 1,
  wechat: 2,
  notify: 2,
  jobs: 2,
  sockets: 2,
  identity: 3,
  policy: 3,
  feed: 3,
  data: 4,
  files: 4,
  moderation: 4,
  messaging: 4,
  live: 5,
  functions: 5,
  transfer: 5,
  http: 6,
  dialects: 6,
  config: 7,
  cli: 7,
  '.': 7,
}
const PEERS: Readonly<Record<string, readonly string[]>> = {
  db: ['observe'],
  bus: ['db', 'observe'],
  notify: ['wechat'],
  identity: [],
  policy: ['identity'],
  data: [],
  messaging: ['data', 'moderation'],
  live: ['functions'],
  dialects: ['http'],
  cli: ['config', '.'],
  '.': ['config', 'cli'],
}
/** `expr` is pure: it may know the kernel and SQL, nothing that does I/O. */
const ONLY: Readonly<Record<string, readonly string[]>> = { expr: ['kernel', 'sql'], kernel: ['sql'], sql: [] }
const LONGEST = 500

const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const sources = files.filter((file) => !file.endsWith('.test.ts'))
const folderOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] ?? '.') : '.')
const importsOf = (text: string): readonly string[] =>
  [...text.matchAll(/^(?:import|export)[^'"]*from ['"](\.[^'"]+)['"]/gm)].map((match) => match[1] ?? '')

const problemsOf = (file: string): readonly string[] => {
  const text = readFileSync(join(root, file), 'utf8')
  const from = folderOf(file)
  const found: string[] = []
  for (const target of importsOf(text).map((path) => relative(root, resolve(root, dirname(file), path)))) {
    const to = folderOf(target)
    if (to === from) {
      const [, ours] = file.split('/')
      const [, theirs] = target.split('/')
      if (from === 'dialects' && ours !== theirs) found.push(`${file} imports another dialect: ${target}`)
      continue
    }
    const lower = (LEVELS[to] ?? 99) < (LEVELS[from] ?? -1)
    const allowed = ONLY[from] === undefined ? lower || PEERS[from]?.includes(to) : ONLY[from].includes(to)
    if (!allowed) found.push(`${file} may not import ${target}`)
  }
  return found
}

describe('architecture', () => {
  it('knows a level for every folder', () => {
    expect([...new Set(files.map(folderOf))].filter((folder) => LEVELS[folder] === undefined)).toEqual([])
  })

  it('imports only downwards, and no dialect from another', () => {
    expect(sources.flatMap(problemsOf)).toEqual([])
  })

  it('keeps SQL out of dialects, http and kernel', () => {
    const sqlText = /\b(select\b[^'"`]{0,200}\bfrom\b|insert into|delete from|update\s+\w+\s+set)\b/
    const code = (file: string) => readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    const guilty = sources.filter((file) => /^(dialects|http|kernel)\//.test(file) && sqlText.test(code(file)))
    expect(guilty).toEqual([])
  })

  it('reads the environment only in config, cli and main', () => {
    const guilty = sources.filter(
      (file) =>
        !/^(config|cli)\/|^main\.ts$/.test(file) && readFileSync(join(root, file), 'utf8').includes('process.env'),
    )
    expect(guilty).toEqual([])
  })

  it(`has no file over ${LONGEST} lines`, () => {
    expect(files.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > LONGEST)).toEqual([])
  })

  it('begins every file with a sentence on what lives there', () => {
    expect(sources.filter((file) => !/^(#!.*\n)?(\/\*\*|\/\/)/.test(readFileSync(join(root, file), 'utf8')))).toEqual(
      [],
    )
  })
})
