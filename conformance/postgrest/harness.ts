/** One database with the fixture, and the dialect over it, in this process. Requests choose their caller by `x-test-*` headers. */
import { readFileSync } from 'node:fs'
import fastify, { type FastifyInstance } from 'fastify'
import { CatalogService } from '../../packages/server/src/db/catalog/service.ts'
import type { RestConfig } from '../../packages/server/src/dialects/supabase/rest/config.ts'
import { restDialect } from '../../packages/server/src/dialects/supabase/rest/plugin.ts'
import type { Caller } from '../../packages/server/src/identity/caller.ts'
import { systemClock } from '../../packages/server/src/kernel/clock.ts'
import { createTestDatabase, type Major, type TestDatabase } from '../../packages/server/test/database.ts'

export interface Harness {
  readonly app: FastifyInstance
  readonly database: TestDatabase
  readonly catalog: CatalogService
  stop(): Promise<void>
}

/** The configuration that the corpus is written for, unless a case says otherwise. */
export const CORPUS_CONFIG: Partial<RestConfig> = {
  schemas: ['town', 'annex', 'guild'],
  extraSearchPath: ['public', 'extensions'],
  aggregates: true,
  plans: true,
  safeUpdate: false,
}

/** The town, then the guild. */
export const FIXTURE = ['fixture.sql', 'fixture-guild.sql']
  .map((name) => readFileSync(new URL(`./${name}`, import.meta.url), 'utf8'))
  .join('\n')

export const startHarness = async (
  options: { readonly version?: Major; readonly sql?: string; readonly config?: Partial<RestConfig> } = {},
): Promise<Harness> => {
  const database = await createTestDatabase(options.version ?? '18')
  await database.sql(options.sql ?? FIXTURE)
  const catalog = new CatalogService({ pool: database.owner, connection: database.connection, clock: systemClock })
  await catalog.start()
  const app = appOver(database, catalog, options.config ?? CORPUS_CONFIG)
  return {
    app,
    database,
    catalog,
    stop: async () => {
      await app.close()
      await catalog.stop()
      await database.drop()
    },
  }
}

/** A second server over the same database, with another configuration. */
export const appOver = (
  database: TestDatabase,
  catalog: CatalogService,
  config: Partial<RestConfig>,
): FastifyInstance => {
  const app = fastify({ routerOptions: { maxParamLength: 4096 }, bodyLimit: 20_000_000 })
  app.addHook('onRequest', async (request) => {
    request.caller = callerOf(request.headers['x-test-role'], request.headers['x-test-sub'])
  })
  void app.register(restDialect({ pool: database.requests, catalog, config }), { prefix: '/rest/v1' })
  return app
}

const callerOf = (role: string | string[] | undefined, sub: string | string[] | undefined): Caller => {
  const claims = { role: String(role ?? 'anon'), ...(sub === undefined ? {} : { sub: String(sub) }) }
  return {
    role: claims.role,
    userId: claims.sub ?? null,
    claims,
    claimsText: JSON.stringify(claims),
    expiresAt: null,
  }
}
