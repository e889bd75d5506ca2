/** Random schemas, rows and policies for the property test, as SQL. Everything follows from one seed. */

/** A small generator of repeatable numbers (mulberry32). */
export const randomSource = (seed: number) => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const pick = <T>(items: readonly [T, ...T[]] | readonly T[]): T => {
    const item = items[below(items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }
  return { below, pick, chance: (share: number) => next() < share }
}

export type Random = ReturnType<typeof randomSource>

export const TYPES = ['int', 'text', 'bool', 'numeric', 'date', 'timestamptz', 'text[]', 'jsonb'] as const
export type ColumnType = (typeof TYPES)[number]

export interface RandomColumn {
  readonly name: string
  readonly type: ColumnType
}

export interface RandomTable {
  readonly name: string
  /** Besides `id` and `parent`. */
  readonly columns: readonly RandomColumn[]
  /** The table that `parent` points at. */
  readonly parent: string | null
}

export interface RandomSchema {
  readonly name: string
  readonly tables: readonly RandomTable[]
  readonly sql: string
}

export const OWNERS = ['00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-00000000000b'] as const

const TEXTS = [
  '',
  'a',
  'A',
  'ab',
  'a,b',
  '(x)',
  '"q"',
  "it's",
  'back\\slash',
  '中文',
  '😀',
  ' blank ',
  'null',
  'NULL',
  'a.b',
  '100%',
  'a_b',
  '*',
  '{x}',
  'e\u0301',
  '5',
  'true',
  ':c',
  '--',
] as const

/** A value of the type as Postgres reads it from text. */
export const randomText = (type: ColumnType, random: Random): string => {
  switch (type) {
    case 'int':
      return String(random.below(9) - 3)
    case 'text':
      return random.pick(TEXTS)
    case 'bool':
      return random.pick(['true', 'false'])
    case 'numeric':
      return random.pick(['0', '0.0', '1.50', '1.5', '-2', '99999999999999999999.01'])
    case 'date':
      return random.pick(['2024-01-01', '2024-02-29', '1999-12-31', 'infinity'])
    case 'timestamptz':
      return random.pick(['2024-01-01 00:00:00+00', '2024-01-01T08:00:00+08:00', '2024-06-01 12:30:00.123456+00'])
    case 'text[]':
      return random.pick(['{}', '{a}', '{a,b}', '{b}', '{"x y",a}'])
    case 'jsonb':
      return random.pick(['{}', '{"k":"a"}', '{"k":1,"l":[1,2]}', '{"k":null}', '[]', '"s"', '{"k":{"m":"x"}}'])
  }
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

const randomTable = (index: number, random: Random): RandomTable => ({
  name: `t${index}`,
  columns: Array.from({ length: 2 + random.below(4) }, (_, at) => ({
    name: random.pick([`c${at}`, `C ${at}`, `c${at}é`, `c"${at}`]),
    type: random.pick(TYPES),
  })),
  parent: index === 0 ? null : `t${random.below(index)}`,
})

export const randomSchema = (index: number, seed: number): RandomSchema => {
  const random = randomSource(seed * 1_000 + index)
  const name = `p${index}`
  const tables = Array.from({ length: 2 + random.below(2) }, (_, at) => randomTable(at, random))
  const parts = [`create schema ${name};`, `grant usage on schema ${name} to anon, authenticated, service_role;`]
  for (const table of tables) parts.push(...tableSql(name, table, random))
  parts.push(`grant all on all tables in schema ${name} to anon, authenticated, service_role;`)
  return { name, tables, sql: parts.join('\n') }
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`

const tableSql = (schema: string, table: RandomTable, random: Random): string[] => {
  const full = `${schema}.${table.name}`
  const columns = table.columns.map((column) => `${quote(column.name)} ${column.type}`)
  const parent = table.parent === null ? [] : [`parent int references ${schema}.${table.parent} (id)`]
  const create = `create table ${full} (id int primary key, owner uuid, ${[...parent, ...columns].join(', ')});`
  const rows = Array.from({ length: random.below(12) }, (_, at) => rowSql(schema, table, at + 1, random))
  const insert = rows.length === 0 ? [] : [`insert into ${full} values ${rows.join(',\n')};`]
  return [create, ...insert, ...policySql(full, random)]
}

const rowSql = (schema: string, table: RandomTable, id: number, random: Random): string => {
  const owner = random.chance(0.3) ? 'null' : literal(random.pick(OWNERS))
  const parent =
    table.parent === null ? [] : [`(select id from ${schema}.${table.parent} where id = ${1 + random.below(8)})`]
  const values = table.columns.map((column) =>
    random.chance(0.25) ? 'null' : literal(randomText(column.type, random)),
  )
  return `(${[id, owner, ...parent, ...values].join(', ')})`
}

const POLICIES = [
  'owner = (select auth.uid())',
  'owner is null or owner = (select auth.uid())',
  'id % 2 = 0',
  'true',
] as const

const policySql = (full: string, random: Random): string[] => {
  if (random.chance(0.4)) return []
  const policies = Array.from({ length: 1 + random.below(2) }, (_, at) => {
    const condition = random.pick(POLICIES)
    return `create policy q${at} on ${full} for all to ${random.pick(['anon', 'authenticated', 'public'])} using (${condition}) with check (${condition});`
  })
  return [`alter table ${full} enable row level security;`, ...policies]
}
