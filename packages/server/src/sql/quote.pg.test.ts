/** Quoted text means to Postgres what it meant to us, whatever the text and whatever standard_conforming_strings says. */
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { pgText, runs } from '../../test/arbitraries.ts'
import { quoteIdent, quoteLiteral } from './quote.ts'

for (const version of ['15', '18'] as const) {
  for (const conforming of ['on', 'off']) {
    describe(`PostgreSQL ${version}, standard_conforming_strings ${conforming}`, () => {
      let client: pg.Client

      beforeAll(async () => {
        client = new pg.Client({ connectionString: inject('clusters')[version] })
        await client.connect()
        await client.query(`set standard_conforming_strings = ${conforming}; set escape_string_warning = off`)
      })
      afterAll(() => client.end())

      it('reads back every literal', async () => {
        await fc.assert(
          fc.asyncProperty(pgText, async (text) => {
            const { rows } = await client.query(`select ${quoteLiteral(text)} as text`)
            expect(rows[0].text).toBe(text)
          }),
          runs(150),
        )
      })

      it('writes literals that Postgres itself would read as its own quote_literal', async () => {
        await fc.assert(
          fc.asyncProperty(pgText, async (text) => {
            const own = await client.query('select quote_literal($1::text) as quoted', [text])
            const { rows } = await client.query(`select ${own.rows[0].quoted} = ${quoteLiteral(text)} as same`)
            expect(rows[0].same).toBe(true)
          }),
          runs(75),
        )
      })

      it('names columns exactly, and as quote_ident does', async () => {
        // Names end at 63 bytes.
        const name = pgText.filter((text) => text !== '' && Buffer.byteLength(text) <= 63)
        await fc.assert(
          fc.asyncProperty(name, async (text) => {
            const own = await client.query('select quote_ident($1::text) as quoted', [text])
            expect([quoteIdent(text), text]).toContain(own.rows[0].quoted)
            const { fields } = await client.query(`select 1 as ${quoteIdent(text)}`)
            expect(fields[0]?.name).toBe(text)
          }),
          runs(100),
        )
      })
    })
  }
}
