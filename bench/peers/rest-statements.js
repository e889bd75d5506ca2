/** The statements behind the three requests of the REST bench: as the product sends them, and as most people would write them. */

// Logged from the product. A change of what it sends does not change the ceiling by itself.
const RESULT = `select null::bigint as total, count(*) as rows, coalesce(json_agg("r"), '[]')::text as body, nullif(current_setting('response.headers', true), '') as headers, nullif(current_setting('response.status', true), '') as status, null::bigint as inserted from (select * from source) as r`
const COLUMNS = `"t0"."id" as "id", "t0"."room" as "room", "t0"."author" as "author", "t0"."body" as "body", "t0"."at" as "at"`

export const SAME = {
  get: `with source as (select ${COLUMNS} from "public"."messages" as "t0" where "t0"."id" = $1) ${RESULT}`,
  list: `with source as (select ${COLUMNS} from "public"."messages" as "t0" where "t0"."room" = $1 order by "t0"."id" desc limit $2::bigint) ${RESULT}`,
  insert: `with written as (insert into "public"."notes" as t ("room", "body") select "body"."room", "body"."body" from (select $1::json as data) as payload, lateral (select * from json_to_recordset(case when json_typeof(payload.data) = 'array' then payload.data else json_build_array(payload.data) end) as r("room" integer, "body" text)) as body returning 1), source as (select * from written as t0) ${RESULT.replace(`coalesce(json_agg("r"), '[]')::text`, `''::text`)}`,
}

export const USUAL = {
  get: 'select id, room, author, body, at from messages where id = $1',
  list: 'select id, room, author, body, at from messages where room = $1 order by id desc limit $2',
  insert: 'insert into notes (room, body) values ($1, $2)',
}

/** As long as what a client with a key and a token sends. */
const HEADERS = JSON.stringify({
  host: '127.0.0.1:8000',
  connection: 'keep-alive',
  accept: 'application/json',
  apikey: 'k'.repeat(180),
  authorization: `Bearer ${'t'.repeat(220)}`,
})

const setConfigs = (count) =>
  `select ${Array.from({ length: count }, (_, index) => `set_config($${2 * index + 1}, $${2 * index + 2}, true)`).join(', ')}`

/** The settings that the product makes for every request. */
const allSettings = (shape, claims) => [
  'search_path',
  '"public", "extensions"',
  'request.jwt.claims',
  claims,
  'request.method',
  shape === 'insert' ? 'POST' : 'GET',
  'request.path',
  '/messages',
  'request.headers',
  HEADERS,
  'request.cookies',
  '{}',
  ...(shape === 'insert' ? [] : ['transaction_read_only', 'on']),
  'statement_timeout',
  '8s',
  'role',
  'authenticated',
]

const valuesOf = (shape, { id, room, json }) => (shape === 'get' ? [id] : shape === 'list' ? [room, '20'] : [json])

/** The product's batch: all its settings, and its statement. */
export const sameBatch = (shape, request) => {
  const values = allSettings(shape, request.claims)
  return [
    { name: `settings${values.length}`, text: setConfigs(values.length / 2), values },
    { name: shape, text: SAME[shape], values: valuesOf(shape, request) },
  ]
}

/** The least that row-level security needs: role and claims. */
export const leanBatch = (shape, request) => [
  {
    name: 'lean',
    text: setConfigs(2),
    values: ['request.jwt.claims', request.claims, 'role', 'authenticated'],
  },
  { name: shape, text: SAME[shape], values: valuesOf(shape, request) },
]
