/** `teahouse collections`: document collections, their permissions and indexes. The same can be said in SQL with the functions of the schema `cloud`. */
import { readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import { createCollections } from '../data/documents/collections.ts'
import type { Collections, IndexField, Permission } from '../data/documents/documents.ts'
import { MetadataStore } from '../data/documents/metadata.ts'
import { poolRunner } from '../data/documents/runner.ts'
import type { Caller } from '../identity/caller.ts'
import { AppError } from '../kernel/errors.ts'
import { isObject, parseJson } from '../kernel/json.ts'
import { type Terminal, withOwner } from './context.ts'

/** Whoever has the database may do what cloud functions may. */
const OPERATOR: Caller = {
  role: 'service_role',
  userId: null,
  claims: { role: 'service_role' },
  claimsText: '{"role":"service_role"}',
  expiresAt: null,
}

const withCollections = (config: Config, work: (collections: Collections) => Promise<void>): Promise<void> =>
  withOwner(config, (owner) => work(createCollections(poolRunner(owner), new MetadataStore(owner))))

/** A preset's name, a rule as JSON, or a file that holds one. */
const readPermission = async (text: string): Promise<Permission> => {
  const content = text.endsWith('.json') ? await readFile(text, 'utf8') : text
  const json = content.trimStart().startsWith('{') ? parseJson(content) : undefined
  if (isObject(json)) return json as Permission // The database checks what a rule may hold.
  if (content.trimStart().startsWith('{')) throw new AppError('bad_request', 'this rule is not JSON')
  return content as Permission // The database knows the names.
}

export const listCollections = (config: Config, terminal: Terminal): Promise<void> =>
  withCollections(config, async (collections) => {
    for (const { name, permission, indexes } of await collections.list(OPERATOR)) {
      if (config.json) terminal.out(JSON.stringify({ name, permission, indexes }))
      else {
        const rule = typeof permission === 'string' ? permission : JSON.stringify(permission)
        terminal.out([name, rule, indexes.map((index) => index.name).join(' ')].join('\t'))
      }
    }
  })

export const createCollection = async (config: Config, name: string, permission: string): Promise<void> => {
  const wanted = await readPermission(permission)
  await withCollections(config, (collections) => collections.create(OPERATOR, name, wanted))
}

export const dropCollection = (config: Config, name: string): Promise<void> =>
  withCollections(config, (collections) => collections.drop(OPERATOR, name))

export const setPermission = async (config: Config, name: string, permission: string): Promise<void> => {
  const wanted = await readPermission(permission)
  await withCollections(config, (collections) => collections.setPermission(OPERATOR, name, wanted))
}

export interface IndexArguments {
  readonly collection: string
  readonly name: string
  /** `a` upwards, `~b.c` downwards, `loc:2dsphere` for places. */
  readonly fields: readonly string[]
  readonly unique: boolean
}

const fieldOf = (text: string): IndexField => {
  if (text.endsWith(':2dsphere')) return { field: text.slice(0, -':2dsphere'.length), direction: '2dsphere' }
  return text.startsWith('~') ? { field: text.slice(1), direction: -1 } : { field: text, direction: 1 }
}

export const createIndex = (config: Config, { collection, name, fields, unique }: IndexArguments): Promise<void> =>
  withCollections(config, (collections) =>
    collections.createIndex(OPERATOR, collection, { name, unique, fields: fields.map(fieldOf) }),
  )

export const dropIndex = (config: Config, collection: string, name: string): Promise<void> =>
  withCollections(config, (collections) => collections.dropIndex(OPERATOR, collection, name))
