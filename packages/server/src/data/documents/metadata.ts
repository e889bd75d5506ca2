/** What is known of a collection: its table, indexes and rule. Kept in memory, and checked against the database by every request that used it. */
import { LRUCache } from 'lru-cache'
import type { Pool } from '../../db/pool.ts'
import type { Doc } from '../../expr/bson/value.ts'
import type { Json } from '../../kernel/json.ts'
import { isObject } from '../../kernel/json.ts'
import { type RuleTrees, readTrees } from '../../policy/rules/tree.ts'
import { frag, ident, keyword, type Statement, sql, statement } from '../../sql/sql.ts'
import type { CollectionInfo, IndexDefinition, Permission, PermissionPreset } from './requests.ts'
import { documentOf, type StoredRow } from './stored.ts'

export interface CollectionIndex {
  readonly id: number
  readonly name: string
  readonly unique: boolean
  readonly fields: readonly { readonly field: string; readonly direction: 1 | -1 | '2dsphere' }[]
  /** Some document has an array at one of the fields: the key columns alone do not find it. */
  readonly multikey: boolean
  /** Some key was cut: the key columns alone do not order. */
  readonly truncated: boolean
}

export interface CollectionMeta {
  readonly name: string
  readonly version: string
  readonly permission: Permission
  readonly rule: RuleTrees | null
  readonly indexes: readonly CollectionIndex[]
}

interface MetaRow {
  readonly name: string
  readonly version: string
  readonly permission: Json
  readonly rule: Json
  readonly indexes: Json
}

export const collectionVersion = (name: string): Statement => sql('documents.version')`
  select bson.collection_version(${name})`

/** Remembers collections by name. What it remembers may be old: whoever used it compares versions afterwards. */
export class MetadataStore {
  readonly #owner: Pool
  readonly #known = new LRUCache<string, CollectionMeta>({ max: 1000 })

  constructor(owner: Pool) {
    this.#owner = owner
  }

  /** Null when there is no such collection. */
  async find(name: string): Promise<CollectionMeta | null> {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const [found] = await this.#load(name)
    if (found !== undefined) this.#known.set(name, found)
    return found ?? null
  }

  forget(name: string): void {
    this.#known.delete(name)
  }

  async list(): Promise<readonly CollectionInfo[]> {
    return (await this.#load(null)).map(({ name, permission, indexes }) => ({
      name,
      permission,
      indexes: indexes.map(({ name: index, fields, unique }): IndexDefinition => ({ name: index, fields, unique })),
    }))
  }

  async #load(name: string | null): Promise<readonly CollectionMeta[]> {
    const rows = await this.#owner.many<MetaRow>(sql('documents.collections')`
      select collection.name,
             collection.version::text as version,
             collection.permission,
             collection.rule,
             coalesce((select jsonb_agg(jsonb_build_object(
                                'id', index.id, 'name', index.name, 'fields', index.fields, 'unique', index.is_unique,
                                'multikey', index.multikey, 'truncated', index.truncated) order by index.id)
                         from teahouse.collection_index as index
                        where index.collection = collection.name), '[]') as indexes
        from teahouse.collection as collection
       where ${name}::text is null or collection.name = ${name}::text
       order by collection.name`)
    return rows.map(metaOf)
  }
}

const metaOf = ({ name, version, permission, rule, indexes }: MetaRow): CollectionMeta => ({
  name,
  version,
  // The database checked both when they were stored.
  permission: isObject(permission) ? (permission as Permission) : (String(permission) as PermissionPreset),
  rule: readTrees(rule),
  indexes: indexes as unknown as readonly CollectionIndex[],
})

/** A document past every permission, for `get()` in rules; undefined when there is none. */
export const lookUp = async (owner: Pool, collection: string, id: string): Promise<Doc | undefined> => {
  const known = await owner.maybeOne(sql('documents.known')`
    select 1 from teahouse.collection where name = ${collection}`)
  if (known === null) return undefined
  const row = await owner.maybeOne<StoredRow>(
    statement(
      'documents.look_up',
      frag`select _id, _openid, ${keyword('doc::text as doc')} from ${ident('cloud', collection)} where _id = ${id}`,
    ),
  )
  return row === null ? undefined : documentOf(row)
}
