/** Row values as JSON against Postgres's own to_json. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { loadCatalog } from '../db/catalog/load.ts'
import { jsonWriter } from './json-values.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await database.sql(`
    create domain price as numeric(10,2);
    create domain prices as price[];
    create type mood as enum ('sad', 'hap"py');
    create type pair as (a int, b text);`)
})
afterAll(() => database.drop())

const VALUES: readonly (readonly [type: string, value: string])[] = [
  ['bool', 't'],
  ['bool', 'f'],
  ['int2', '-5'],
  ['int4', '7'],
  ['int8', '9007199254740993'],
  ['numeric', '1.50'],
  ['numeric', 'NaN'],
  ['numeric', 'Infinity'],
  ['float8', '1e300'],
  ['float8', '-Infinity'],
  ['float4', '0.1'],
  ['text', 'a"b\\c\n茶'],
  ['varchar', ''],
  ['bpchar', 'x'],
  ['uuid', '11111111-1111-4111-8111-111111111111'],
  ['date', '2024-02-29'],
  ['date', 'infinity'],
  ['time', '12:34:56.7'],
  ['timestamp', '2024-01-01 00:00:00'],
  ['timestamp', '2024-01-01 00:00:00.123456'],
  ['timestamp', '-infinity'],
  ['timestamptz', '2024-01-01 08:00:00+08'],
  ['timestamptz', '1900-01-01 00:00:00.5+00'],
  ['timestamptz', 'infinity'],
  ['interval', '1 day 02:00'],
  ['json', '{"a": [1, 2.50, null]}'],
  ['jsonb', '{"b": "\\u8336", "a": 1e2}'],
  ['bytea', '\\x00ff'],
  ['inet', '10.0.0.1/8'],
  ['int4range', '[1,5)'],
  ['oid', '42'],
  ['int4[]', '{1,NULL,3}'],
  ['int4[]', '{{1,2},{3,4}}'],
  ['int4[]', '{}'],
  ['int4[]', '[0:1]={5,6}'],
  ['text[]', '{a,"b c","d\\"e","NULL",NULL,"x\\\\y","{z}"}'],
  ['bool[]', '{t,f}'],
  ['timestamptz[]', '{"2024-01-01 00:00:00+00"}'],
  ['jsonb[]', '{"{\\"a\\": 1}"}'],
  ['box[]', '{(1,1),(0,0);(3,3),(2,2)}'],
  ['price', '2.50'],
  ['prices', '{1.00,2.50}'],
  ['mood', 'hap"py'],
  ['mood[]', '{sad,"hap\\"py"}'],
  ['point', '(1,2)'],
]

it('writes values as to_json does', async () => {
  const catalog = await loadCatalog(database.owner, 1)
  for (const [type, value] of VALUES) {
    const [row] = await database.owner.many<{ text: string; json: string; oid: number }>({
      name: 'test.value',
      // The stream's session settings; oid names the type even when it is a domain.
      text: `select set_config('timezone', 'UTC', false), format('%s', ($1::text)::${type}) as text, to_json(($1::text)::${type})::text as json, '${type}'::regtype::oid::int as oid`,
      values: [value],
    })
    const written = jsonWriter(catalog, row?.oid ?? 0)(row?.text ?? '')
    // Equal as JSON, and numbers digit by digit: 9007199254740993 must not pass through a double.
    expect([type, normal(written)]).toEqual([type, normal(row?.json ?? '')])
  }
})

const normal = (json: string): string =>
  JSON.stringify(
    JSON.parse(
      json.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) => (token.startsWith('"') ? token : `"#${token}"`)),
    ),
  )
