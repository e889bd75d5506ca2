/** Names of types that a client may cast to, as SQL that cannot be anything else. Pure. */
import { type Fragment, ident, keyword } from '../sql/sql.ts'

// Spelled by the SQL grammar itself, so they cannot be quoted (a quoted "char" even means another type).
const GRAMMAR_TYPES = new Set([
  'bigint',
  'bit',
  'bit varying',
  'boolean',
  'char',
  'char varying',
  'character',
  'character varying',
  'dec',
  'decimal',
  'double precision',
  'float',
  'int',
  'integer',
  'interval',
  'nchar',
  'national char',
  'national character',
  'national character varying',
  'numeric',
  'real',
  'smallint',
  'time',
  'time with time zone',
  'time without time zone',
  'timestamp',
  'timestamp with time zone',
  'timestamp without time zone',
  'varchar',
])

/** The type that Postgres would read from the unquoted text: its own grammar's names as they are, anything else as one quoted, folded name. */
export const typeSql = (name: string): Fragment => {
  const folded = name.trim().replaceAll(/\s+/g, ' ').toLowerCase()
  return GRAMMAR_TYPES.has(folded) ? keyword(folded) : ident(folded)
}
