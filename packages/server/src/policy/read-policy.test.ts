/** Policies as conditions: what is read, and what is left to Postgres. The shapes are those that Postgres prints. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { Catalog, Column, Relation } from '../db/catalog/catalog.ts'
import type { Expr } from '../expr/ast.ts'
import { loadParser } from './parse-tree.ts'
import { PolicyReader } from './read-policy.ts'

const ME = '11111111-1111-4111-8111-111111111111'

const table = (name: string, columns: Readonly<Record<string, string>>): Relation => {
  const list = Object.entries(columns).map(
    ([column, type]) =>
      ({
        name: column,
        baseType: type,
        collation: type === 'text' ? 'default' : null,
        enumLabels: [],
        nullable: true,
      }) as unknown as Column,
  )
  // Only what the reader looks at.
  return {
    schema: 'public',
    name,
    kind: 'table',
    columns: list,
    column: (wanted: string) => list.find((each) => each.name === wanted),
  } as unknown as Relation
}

const item = table('item', {
  id: 'integer',
  owner: 'uuid',
  room: 'integer',
  open: 'boolean',
  note: 'text',
  price: 'numeric',
})
const member = table('member', { room: 'integer', who: 'uuid' })
const catalog = {
  relation: (_schema: string, name: string) => [item, member].find((each) => each.name === name),
} as unknown as Catalog
const caller = {
  role: 'authenticated',
  claims: { sub: ME, role: 'authenticated', org: 'a', app_metadata: { level: 3, tags: ['x'] } },
}

const reader = new PolicyReader()
const read = (text: string, who = caller): string | null => {
  const expr = reader.read(text, item, catalog, who)
  return expr === null ? null : show(expr)
}

/** A condition in short words. */
const show = (expr: Expr): string => {
  switch (expr.kind) {
    case 'constant':
      return String(expr.value)
    case 'not':
      return `not(${show(expr.item)})`
    case 'and':
    case 'or':
      return `(${expr.items.map(show).join(` ${expr.kind} `)})`
    case 'exists':
      return `exists ${expr.relation.name}[${show(expr.where)}]`
    case 'compare': {
      const side = (operand: typeof expr.left) =>
        operand.kind === 'field'
          ? `${'^'.repeat(operand.depth)}${operand.name}`
          : operand.kind === 'value'
            ? `'${operand.text}'`
            : operand.kind
      return `${side(expr.left)} ${expr.operator} ${side(expr.right)}`
    }
  }
}

beforeAll(loadParser)

describe('policies', () => {
  it.each([
    ['true', 'true'],
    ['(auth.uid() = owner)', `owner eq '${ME}'`],
    ['(( SELECT auth.uid() AS uid) = owner)', `owner eq '${ME}'`],
    ['open', `open eq 't'`],
    ['(NOT open)', `not(open eq 't')`],
    ['((open IS NOT TRUE) AND (room > 1))', `(not(open is 'true') and room gt '1')`],
    ['(3 < room)', `room gt '3'`],
    [`(note = ANY (ARRAY['a'::text, 'b'::text]))`, `(note eq 'a' or note eq 'b')`],
    [`(note = (auth.jwt() ->> 'org'::text))`, `note eq 'a'`],
    [`(((auth.jwt() -> 'app_metadata'::text) ->> 'level'::text) = '3'::text)`, 'true'],
    [`((auth.jwt() ->> 'nothing'::text) = 'x'::text)`, 'null'],
    [`(auth.role() = 'authenticated'::text)`, 'true'],
    [`(auth.role() = 'anon'::text)`, 'false'],
    ['(auth.uid() IS NOT NULL)', 'true'],
    ['(owner IS NULL)', `owner is 'null'`],
    ['(owner IS DISTINCT FROM auth.uid())', `owner isdistinct '${ME}'`],
    [
      `((((current_setting('request.jwt.claims'::text, true))::json ->> 'sub'::text))::uuid = owner)`,
      `owner eq '${ME}'`,
    ],
    [
      '(EXISTS ( SELECT 1 FROM member m WHERE ((m.room = item.room) AND (m.who = auth.uid()))))',
      `exists member[(room eq ^room and who eq '${ME}')]`,
    ],
    [
      '(room IN ( SELECT member.room FROM member WHERE (member.who = ( SELECT auth.uid() AS uid))))',
      `exists member[(room eq ^room and who eq '${ME}')]`,
    ],
    ['(EXISTS ( SELECT 1 FROM member WHERE (member.room = item.room)))', 'exists member[room eq ^room]'],
  ])('%s is read', (text, expected) => {
    expect(read(text)).toBe(expected)
  })

  it.each([
    ['is_member(room)'],
    ['(lower(note) = note)'],
    [`(note ~~ 'a%'::text)`],
    ['((owner)::text = note)'],
    [`((note)::uuid = owner)`],
    ['(price = room)'],
    [`(room OPERATOR(public.=) 3)`],
    ['(room = ( SELECT max(member.room) AS max FROM member))'],
    ['(EXISTS ( SELECT 1 FROM member m JOIN item i ON true WHERE (m.room = i.room)))'],
    ['(EXISTS ( SELECT 1 FROM member LIMIT 1))'],
    ['(NOT (EXISTS ( SELECT 1 FROM member m WHERE (m.room = item.room))))'],
    ['(EXISTS ( SELECT 1 FROM elsewhere))'],
    ['(unknown_column = 3)'],
    ['not even SQL ('],
    [`(room = ANY (ARRAY[1, id]))`, `(room eq '1' or room eq id)`],
  ])('%s is left to Postgres', (text: string, partly?: string) => {
    expect(read(text)).toBe(partly ?? null)
  })

  it('leaves a uid that is none to Postgres, which refuses it', () => {
    expect(read('(auth.uid() = owner)', { ...caller, claims: { ...caller.claims, sub: 'wx-openid' } })).toBe(null)
  })

  it('answers unknown for a caller without a user', () => {
    expect(read('(auth.uid() = owner)', { role: 'anon', claims: { role: 'anon' } } as unknown as typeof caller)).toBe(
      'null',
    )
  })

  it('does not read claims from the prototype', () => {
    expect(read(`((auth.jwt() ->> 'constructor'::text) IS NULL)`)).toBe('true')
    expect(read(`((auth.jwt() ->> '__proto__'::text) IS NULL)`)).toBe('true')
  })
})
