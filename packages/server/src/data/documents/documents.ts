/**
 * The document engine's public face: collections of BSON-like documents over PostgreSQL, with MongoDB's operators.
 *
 * Dialects decode a request into these types (`ejson.ts` for values), call one function, and render the answer. Who may do what is decided
 * here and below: row-level security always, a collection's security rule on top. Every refusal is a `DocumentError` with a `reason`.
 */
import type { CatalogService } from '../../db/catalog/service.ts'
import type { Pool } from '../../db/pool.ts'
import type { Doc } from '../../expr/bson/value.ts'
import type { Caller } from '../../identity/caller.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Ids } from '../../kernel/ids.ts'
import { Access } from './access.ts'
import { aggregate, expressionTest } from './aggregate/aggregate.ts'
import { createCollections } from './collections.ts'
import { lookUp, MetadataStore } from './metadata.ts'
import { count, find } from './reading.ts'
import type {
  AggregateRequest,
  CollectionInfo,
  CountRequest,
  DocumentId,
  FindRequest,
  IndexDefinition,
  InsertRequest,
  Permission,
  RemoveRequest,
  UpdatedDocument,
  UpdateRequest,
  UpdateResult,
} from './requests.ts'

import { poolRunner } from './runner.ts'
import { DEFAULT_LIMITS, type EngineContext, type EngineLimits } from './session.ts'
import { OpenTransactions, type TransactionLimits } from './transactions.ts'
import { planWatch, type WatchPlan, type WatchRequest } from './watching.ts'
import { insert, remove, update } from './writing.ts'

export { DocumentError, type DocumentReason } from './errors.ts'
export type * from './requests.ts'
export type { Cells, WatchPlan, WatchRequest } from './watching.ts'

/** Everything that can be done with documents. Made by `createDocuments`. */
export interface Documents {
  readonly collections: Collections
  readonly transactions: Transactions

  /** Documents that match, in order; in insertion order when none is given. */
  find(caller: Caller, request: FindRequest): Promise<readonly Doc[]>
  count(caller: Caller, request: CountRequest): Promise<number>
  /** Inserts all or none, and answers their keys in order. */
  insert(caller: Caller, request: InsertRequest): Promise<readonly DocumentId[]>
  /** Changes one document or all that match; atomic for each call, right under concurrency. */
  update(caller: Caller, request: UpdateRequest): Promise<UpdateResult>
  /** Changes one document and answers it as it is afterwards. */
  updateAndReturn(caller: Caller, request: UpdateRequest): Promise<UpdatedDocument>
  /** Removes one document or all that match, and answers how many. */
  remove(caller: Caller, request: RemoveRequest): Promise<number>
  aggregate(caller: Caller, request: AggregateRequest): Promise<readonly Doc[]>
  /** How to follow a query; the following itself is the business of `live/`. */
  planWatch(caller: Caller, request: WatchRequest): Promise<WatchPlan>
}

/** Collections and what belongs to them. Only `service_role` may change any; everyone else is refused. */
export interface Collections {
  create(caller: Caller, name: string, permission?: Permission): Promise<void>
  drop(caller: Caller, name: string): Promise<void>
  list(caller: Caller): Promise<readonly CollectionInfo[]>
  setPermission(caller: Caller, name: string, permission: Permission): Promise<void>
  createIndex(caller: Caller, name: string, index: IndexDefinition): Promise<void>
  dropIndex(caller: Caller, name: string, index: string): Promise<void>
}

/**
 * Transactions that span several calls. Snapshot isolation: a write to what another transaction changed meanwhile is refused with
 * `transaction_conflict`, and the caller tries all of it again. One node holds a transaction; it ends by itself when it is idle too long.
 */
export interface Transactions {
  /** Answers the id that later requests name. */
  start(caller: Caller): Promise<string>
  commit(caller: Caller, id: string): Promise<void>
  abort(caller: Caller, id: string): Promise<void>
}

export interface DocumentsOptions {
  /** The pool that requests run on. */
  readonly requests: Pool
  readonly owner: Pool
  readonly catalog: CatalogService
  readonly clock: Clock
  readonly ids: Ids
  /** Schemas whose tables are collections too, the first one first. */
  readonly schemas: readonly string[]
  readonly limits?: EngineLimits
  readonly transactions?: TransactionLimits
}

/** The engine, and what ends it: transactions that are still open are undone. */
export const createDocuments = (options: DocumentsOptions): Documents & { stop(): Promise<void> } => {
  const { requests, owner, catalog, clock, ids, schemas } = options
  const metadata = new MetadataStore(owner)
  const onPool = poolRunner(requests)
  const open = new OpenTransactions(requests, { clock, ids }, options.transactions)
  const context: EngineContext = {
    access: new Access({
      metadata,
      catalog,
      clock,
      schemas,
      lookUp: (collection, id) => lookUp(owner, collection, id),
    }),
    clock,
    ids,
    limits: options.limits ?? DEFAULT_LIMITS,
    expression: expressionTest(clock),
    runner: (transaction) => (transaction === undefined ? onPool : open.runner(transaction)),
  }
  return {
    collections: createCollections(onPool, metadata),
    transactions: open,
    find: (caller, request) => find(context, caller, request),
    count: (caller, request) => count(context, caller, request),
    insert: (caller, request) => insert(context, caller, request),
    update: async (caller, request) => update(context, caller, request, { returning: false }),
    updateAndReturn: (caller, request) => update(context, caller, request, { returning: true }),
    remove: (caller, request) => remove(context, caller, request),
    aggregate: (caller, request) => aggregate(context, caller, request),
    planWatch: (caller, request) => planWatch(context, caller, request),
    stop: () => open.stop(),
  }
}
