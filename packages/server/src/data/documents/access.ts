/** Finds a collection for a request, checks its rule, and makes sure that what was known of it still held when the request ran. */
import type { CatalogService } from '../../db/catalog/service.ts'
import { allOf, type DocExpr, FALSE, leaf } from '../../expr/bson/query.ts'
import { type Doc, docOf, isArray, isDoc, type Value } from '../../expr/bson/value.ts'
import type { Caller } from '../../identity/caller.ts'
import type { Clock } from '../../kernel/clock.ts'
import { openidOf } from '../../policy/claims.ts'
import { isAllowed, ruleAuth } from '../../policy/rules/decide.ts'
import type { RuleOperation } from '../../policy/rules/tree.ts'
import { fromJson } from './ejson.ts'
import { DocumentError } from './errors.ts'
import type { MetadataStore } from './metadata.ts'
import { collectionTarget, relationTarget, type Target } from './target.ts'

export interface AccessOptions {
  readonly metadata: MetadataStore
  readonly catalog: CatalogService
  readonly clock: Clock
  /** Schemas whose tables are collections too. */
  readonly schemas: readonly string[]
  /** Reads a document past every permission, for `get()` in rules. */
  readonly lookUp: (collection: string, id: string) => Promise<Doc | undefined>
}

/** Whether rules and presets do not apply: cloud functions and the console. */
export const isTrusted = (caller: Caller): boolean => caller.role === 'service_role'

/** The caller's openid, which owns what they write. */
export const callerOpenid = (caller: Caller): string | null =>
  caller.role === 'anon' || isTrusted(caller) ? null : openidOf(caller.claims)

export class Access {
  readonly #options: AccessOptions

  constructor(options: AccessOptions) {
    this.#options = options
  }

  /** Throws `collection_not_exist`. */
  async target(name: string): Promise<Target> {
    const { metadata, catalog, schemas } = this.#options
    const meta = await metadata.find(name)
    if (meta !== null) return collectionTarget(meta)
    // Before something is said not to exist, the node hears of what was made meanwhile.
    const table =
      relationTarget(catalog.current, schemas, name) ?? relationTarget(await catalog.settle(), schemas, name)
    if (table === null) throw new DocumentError('collection_not_exist', `Db or Table not exist: ${name}`)
    return table
  }

  forget(name: string): void {
    this.#options.metadata.forget(name)
  }

  /** Throws `permission_denied` when the collection's permission says no before anything is looked at. */
  async check(caller: Caller, target: Target, asked: Asked): Promise<void> {
    if (isTrusted(caller) || target.meta === null) return
    const { permission, rule } = target.meta
    if (rule === null) {
      if (!presetAllows(String(permission), asked.operation)) throw denied()
      return
    }
    const allowed = await isAllowed(rule[asked.operation], asked.query, {
      auth: caller.role === 'anon' ? null : authOf(caller),
      now: this.#options.clock.now(),
      data: asked.data,
      doc: asked.doc,
      get: (path) => this.#get(path),
    })
    if (!allowed) throw denied()
  }

  async #get(path: string): Promise<Doc | undefined> {
    const [, collection, id] = /^database\.([^.]+)\.(.+)$/.exec(path) ?? []
    return collection === undefined || id === undefined ? undefined : this.#options.lookUp(collection, id)
  }
}

export interface Asked {
  readonly operation: RuleOperation
  readonly query: DocExpr
  /** `request.data`. */
  readonly data: Doc | undefined
  /** The new document, when one is created. */
  readonly doc?: Doc | undefined
}

export const denied = (): DocumentError => new DocumentError('permission_denied', 'Permission denied')

const presetAllows = (preset: string, operation: RuleOperation): boolean => {
  if (preset === 'ADMINONLY') return false
  return preset !== 'ADMINWRITE' || operation === 'read'
}

const authOf = (caller: Caller): Doc | null => {
  const claims = fromJson(caller.claims)
  return isDoc(claims) ? ruleAuth(claims) : null
}

/** What a preset narrows by itself: writes to the caller's own documents, and in private collections reads too. Row-level security does the same; this lets an index help. */
export const owned = (caller: Caller, { meta }: Target, query: DocExpr, operation: RuleOperation): DocExpr => {
  if (isTrusted(caller) || meta === null || meta.rule !== null) return query
  if (operation === 'read' && meta.permission !== 'PRIVATE') return query
  const openid = callerOpenid(caller)
  return openid === null ? FALSE : allOf([query, leaf(['_openid'], { op: 'eq', value: openid })])
}

/** Puts the caller's openid where a query says `{openid}`. */
export const withOpenid = (caller: Caller, query: Doc): Doc => {
  const openid = callerOpenid(caller)
  return openid === null ? query : docOf(Object.entries(query).map(([name, value]) => [name, filled(value, openid)]))
}

const filled = (value: Value, openid: string): Value => {
  if (value === '{openid}') return openid
  if (isArray(value)) return value.map((each) => filled(each, openid))
  return isDoc(value) ? docOf(Object.entries(value).map(([name, inner]) => [name, filled(inner, openid)])) : value
}
