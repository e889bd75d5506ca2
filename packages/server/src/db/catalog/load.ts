/** Reads a whole catalogue in one round trip of statements inside one snapshot. */
import type { Statement } from '../../sql/sql.ts'
import type { Pool } from '../pool.ts'
import { buildCatalog } from './build.ts'
import type { Catalog } from './catalog.ts'
import * as queries from './queries.sql.ts'
import type { CatalogRows } from './rows.ts'

const STATEMENTS: Readonly<Record<keyof CatalogRows, Statement>> = {
  server: queries.serverFacts,
  schemas: queries.schemas,
  types: queries.types,
  relations: queries.relations,
  constraints: queries.constraints,
  uniqueIndexes: queries.uniqueIndexes,
  viewRules: queries.viewRules,
  functions: queries.functions,
  dataCasts: queries.dataCasts,
  policies: queries.policies,
  publications: queries.publications,
  roles: queries.roles,
  databaseSettings: queries.databaseSettings,
}

/** Loads as the pool's login. Every statement sees the same instant. */
export const loadCatalog = async (pool: Pool, version: number): Promise<Catalog> => {
  // An empty search path makes format_type and pg_get_expr name every schema but pg_catalog.
  const settings: Statement = queries.emptySearchPath
  const statements = [settings, ...Object.values(STATEMENTS)].map((each) => ({ ...each, planKey: 'catalog' }))
  const results = await pool.explicit('begin isolation level repeatable read read only', statements, 'commit')
  const rows = Object.fromEntries(
    Object.keys(STATEMENTS).map((key, index) => [key, JSON.parse(results[index + 1]?.rows[0]?.[0] ?? '[]')]),
  )
  // The statements above select exactly these shapes.
  return buildCatalog(rows as unknown as CatalogRows, version)
}
