/** The last step of every statement: rows into one body, with totals and the settings that SQL may leave for the response. */
import { type Fragment, frag, ident, join, keyword, param } from '../sql/sql.ts'
import type { OutputOptions, OutputShape } from './query.ts'

/** Positions of the columns of the one row that every statement answers. */
export const RESULT = { total: 0, rows: 1, body: 2, headers: 3, status: 4, inserted: 5, location: 6 } as const

/** Begins the message of the error that undoes a write with too many or too few rows; the number of rows follows. */
export const GUARD = { exactlyOne: 'teahouse_exactly_one:', maxAffected: 'teahouse_max_affected:' } as const

export interface OutputParts {
  /** Common table expressions before the last select; the rows are in `source`. */
  readonly with: readonly Fragment[]
  /** SQL of the total, or null. */
  readonly total: Fragment | null
  /** SQL of the number of new rows. */
  readonly inserted?: Fragment | null
  /** Names of key columns for a Location. */
  readonly key?: readonly string[]
  /** What the final rows are selected from; `source` by default. */
  readonly rows?: Fragment
  /** Whether a function's scalars, not rows, are the result. */
  readonly scalar?: 'one' | 'set' | null
  /** The composite type of the rows, for an aggregate over it. */
  readonly rowType?: Fragment | null
  /** A function that answers one composite: the body is an object. */
  readonly single?: boolean
}

export const outputSql = (parts: OutputParts, options: OutputOptions): Fragment => {
  const columns = [
    frag`${parts.total ?? keyword('null::bigint')} as total`,
    frag`${guardedCount(options)} as rows`,
    frag`${bodySql(parts, options.shape)} as body`,
    frag`nullif(current_setting('response.headers', true), '') as headers`,
    frag`nullif(current_setting('response.status', true), '') as status`,
    frag`${parts.inserted ?? keyword('null::bigint')} as inserted`,
    ...(options.location ? [frag`${locationSql(parts.key ?? [])} as location`] : []),
  ]
  const rows = parts.rows ?? frag`select * from source`
  return frag`with ${join(parts.with)} select ${join(columns)} from (${rows}) as r`
}

/**
 * The number of rows. A write that must not have more, or other than one, fails right here: it has to be undone, and by the time its
 * answer could be read on our side, the batch would be committed. A cast that cannot succeed is the only refusal that plain SQL has.
 */
const guardedCount = ({ exactlyOne, maxAffected }: OutputOptions): Fragment => {
  const guards: Fragment[] = []
  if (exactlyOne) guards.push(frag`when count(*) <> 1 then (${param(GUARD.exactlyOne)}::text || count(*))::bigint`)
  if (maxAffected !== null) {
    guards.push(
      frag`when count(*) > ${param(String(maxAffected))}::bigint then (${param(GUARD.maxAffected)}::text || count(*))::bigint`,
    )
  }
  return guards.length === 0 ? keyword('count(*)') : frag`case ${join(guards, ' ')} else count(*) end`
}

const bodySql = (parts: OutputParts, shape: OutputShape): Fragment => {
  const row = parts.scalar ? ident('r', 'scalar') : ident('r')
  switch (shape.kind) {
    case 'none':
      return keyword("''::text")
    case 'array':
    case 'object': {
      const one = shape.kind === 'object' || parts.single || parts.scalar === 'one'
      const json = one ? frag`coalesce(json_agg(${row})->0, 'null')` : frag`coalesce(json_agg(${row}), '[]')`
      return shape.stripNulls ? frag`json_strip_nulls(${json})::text` : frag`${json}::text`
    }
    case 'csv':
      return parts.scalar ? frag`coalesce(string_agg(${row}::text, e'\\n'), '')` : csvSql
    case 'geojson':
      return frag`json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(st_asgeojson(r)::json), '[]'))::text`
    case 'aggregate': {
      const argument = parts.rowType && !shape.anyRow ? frag`r::${parts.rowType}` : keyword('r')
      return bytesOrText(frag`${ident(shape.schema, shape.name)}(${argument})`, shape.binary)
    }
    case 'scalar':
      return bytesOrText(frag`(array_agg(${ident('r', 'scalar')}))[1]`, shape.binary)
  }
}

/** Bytes travel as base64: every column of an answer is text. */
const bytesOrText = (value: Fragment, binary: boolean): Fragment =>
  binary ? frag`encode(${value}::bytea, 'base64')` : frag`${value}::text`

/** A header line from the first row's keys, then each row's own text form without its parentheses. */
const csvSql: Fragment = keyword(
  `(select coalesce(string_agg(k.name, ','), '') from (select json_object_keys(f.first) as name from (select row_to_json(s) as first from source as s limit 1) as f) as k)` +
    ` || e'\\n' || coalesce(string_agg(substring(r::text, 2, length(r::text) - 2), e'\\n'), '')`,
)

const locationSql = (key: readonly string[]): Fragment => {
  if (key.length === 0) return keyword('null::text')
  const pairs = key.map((name) => frag`${param(name)}::text, ${ident('s', name)}::text`)
  return frag`(select json_build_array(${join(pairs)})::text from source as s limit 1)`
}

/** How many rows a plan expects: the statement whose JSON answer `plannedRows` reads. */
export const explainSql = (query: Fragment): Fragment => frag`explain (format json) ${query}`

/** `with a as (…)`, one of several. */
export const namedQuery = (name: string, query: Fragment): Fragment => frag`${keyword(name)} as (${query})`
