/** A document engine on a database of its own, and the callers that tests speak as. */

import { createDocuments, type Documents } from '../src/data/documents/documents.ts'
import { docFromJsonText, toJson } from '../src/data/documents/ejson.ts'
import { CatalogService } from '../src/db/catalog/service.ts'
import type { Doc } from '../src/expr/bson/value.ts'
import type { Caller } from '../src/identity/caller.ts'
import { type Clock, systemClock } from '../src/kernel/clock.ts'
import { randomIds } from '../src/kernel/ids.ts'
import type { Json } from '../src/kernel/json.ts'
import { createTestDatabase, type Major, type TestDatabase } from './database.ts'

const callerAs = (role: string, openid: string | null): Caller => {
  const claims = { role, ...(openid === null ? {} : { sub: openid, openid }) }
  return { role, userId: openid, claims, claimsText: JSON.stringify(claims), expiresAt: null }
}

/** Cloud functions and the console. */
export const server = callerAs('service_role', null)
export const alice = callerAs('authenticated', 'alice')
export const bob = callerAs('authenticated', 'bob')
/** Holds a key, and is nobody. */
export const nobody = callerAs('anon', null)

export interface TestEngine {
  readonly db: TestDatabase
  readonly documents: Documents
  find(who: Caller, collection: string, query: unknown, more?: object): Promise<readonly Json[]>
  add(who: Caller, collection: string, ...docs: readonly unknown[]): Promise<readonly (string | number)[]>
  stop(): Promise<void>
}

/** A document out of a literal. */
export const parse = (json: unknown): Doc => docFromJsonText(JSON.stringify(json))

export const startTestEngine = async (version: Major = '18', clock: Clock = systemClock): Promise<TestEngine> => {
  const db = await createTestDatabase(version)
  const catalog = new CatalogService({
    pool: db.owner,
    connection: db.connection,
    clock: systemClock,
    onError: () => {},
  })
  await catalog.start()
  const documents = createDocuments({
    requests: db.requests,
    owner: db.owner,
    catalog,
    clock,
    ids: randomIds,
    schemas: ['public', 'cloud'],
  })
  return {
    db,
    documents,
    find: async (who, collection, query, more = {}) => {
      const found = await documents.find(who, { collection, query: parse(query), limit: null, ...more })
      return found.map((doc) => toJson(doc, 'plain'))
    },
    add: (who, collection, ...docs) => documents.insert(who, { collection, documents: docs.map(parse) }),
    stop: async () => {
      await documents.stop()
      await catalog.stop()
      await db.drop()
    },
  }
}
