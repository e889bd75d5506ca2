/** Applies the numbered SQL files of `packages/server/migrations`, each once, in order, in one transaction each. Forward only. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { AppError } from '../../kernel/errors.ts'
import { sql } from '../../sql/sql.ts'
import type { Pool, Transaction } from '../pool.ts'

export interface Migration {
  /** Four digits. */
  readonly id: string
  readonly name: string
  readonly text: string
}

const FOLDER = new URL('../../../migrations/', import.meta.url)
const FILE_NAME = /^(\d{4})_(\w+)\.sql$/

/** The migrations that ship with this version, in order. */
export const readMigrations = async (folder: URL = FOLDER): Promise<readonly Migration[]> => {
  const files = (await readdir(folder)).filter((file) => FILE_NAME.test(file)).sort()
  return Promise.all(
    files.map(async (file) => {
      const [, id = '', name = ''] = FILE_NAME.exec(file) ?? []
      return { id, name, text: await readFile(new URL(file, folder), 'utf8') }
    }),
  )
}

/** Brings the database up to date and answers the names that were applied. Safe when several nodes start at once. */
export const migrate = async (db: Pool, migrations: readonly Migration[]): Promise<readonly string[]> => {
  const applied: string[] = []
  for (const migration of migrations) {
    const done = await db.transaction(async (tx) => {
      await lockMigrations(tx)
      return applyOnce(tx, migration)
    })
    if (done) applied.push(`${migration.id}_${migration.name}`)
  }
  return applied
}

/** One node at a time; the key is this product's own and means nothing. */
export const lockMigrations = async (tx: Transaction): Promise<void> => {
  await tx.run(sql('migrate.lock')`select pg_advisory_xact_lock(7237101, 1)`)
  await tx.script(`
    create schema if not exists teahouse;
    create table if not exists teahouse.migration (
      id text primary key,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`)
}

/** Applies one migration unless it was applied before; answers whether it did. */
export const applyOnce = async (tx: Transaction, migration: Migration): Promise<boolean> => {
  const checksum = createHash('sha256').update(migration.text).digest('hex')
  const known = await tx.maybeOne<{ checksum: string }>(sql('migrate.find')`
    select checksum from teahouse.migration where id = ${migration.id}`)
  if (known !== null) {
    if (known.checksum === checksum) return false
    throw new AppError('conflict', `Migration ${migration.id}_${migration.name} was applied with another content.`)
  }
  // The row comes first: should two nodes get here after all, the second one fails on the key before it changes anything.
  await tx.run(sql('migrate.record')`
    insert into teahouse.migration (id, name, checksum)
    values (${migration.id}, ${migration.name}, ${checksum})`)
  await tx.script(migration.text)
  return true
}
