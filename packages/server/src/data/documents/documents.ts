/**
 * The document engine's public face: collections of BSON-like documents over PostgreSQL, with MongoDB's operators.
 *
 * Dialects decode a request into these types (`ejson.ts` for values), call one function, and render the answer. Who may do what is decided
 * here and below: row-level security always, a collection's security rule on top. Every refusal is a `DocumentError` with a `reason`.
 */
import type { Doc } from '../../expr/bson/value.ts'
import type { Caller } from '../../identity/caller.ts'
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

export { DocumentError, type DocumentReason } from './errors.ts'
export type * from './requests.ts'

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
