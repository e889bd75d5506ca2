/** `teahouse sql`: runs SQL as the database owner, from a file, from `-c`, or from standard input. */
import { text as readAll } from 'node:stream/consumers'
import type pg from 'pg'
import type { Config } from '../config/config.ts'
import { readScript } from '../config/supabase-folder.ts'
import { namingScript } from '../db/prepare/project.ts'
import { AppError } from '../kernel/errors.ts'
import { type Terminal, withOwner } from './context.ts'

export interface SqlArguments {
  /** A file's path; null reads `command`, else standard input. */
  readonly file: string | null
  readonly command: string | null
}

export const sqlCommand = async (
  config: Config,
  terminal: Terminal,
  { file, command }: SqlArguments,
): Promise<void> => {
  const script = command ?? (file === null ? await readAll(process.stdin) : await readFileOf(file))
  const results = await withOwner(config, (owner) => namingScript(file ?? 'sql', script, () => owner.script(script)))
  for (const result of results) {
    if (config.json) terminal.out(JSON.stringify(toObjects(result)))
    else printTable(result, terminal)
  }
}

const readFileOf = async (file: string): Promise<string> => {
  try {
    return await readScript(file)
  } catch (cause) {
    // Node's own errors carry a code.
    throw new AppError('not_found', `${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause })
  }
}

const toObjects = (result: pg.QueryArrayResult): readonly Readonly<Record<string, unknown>>[] =>
  result.rows.map((row: readonly unknown[]) =>
    Object.fromEntries(result.fields.map((field, index) => [field.name, row[index]])),
  )

/** Tab-separated, names first; the command tag alone when there are no columns. */
const printTable = (result: pg.QueryArrayResult, terminal: Terminal): void => {
  if (result.fields.length === 0) {
    terminal.out([result.command, result.rowCount ?? ''].join(' ').trim())
    return
  }
  terminal.out(result.fields.map((field) => field.name).join('\t'))
  for (const row of result.rows) terminal.out(row.map(cell).join('\t'))
}

const cell = (value: unknown): string => {
  if (value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
