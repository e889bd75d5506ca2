/** All watches of one node, those of sockets that were cut included: who comes back within some minutes goes on where they were. */
import type { WatchRequest } from '../../../data/documents/documents.ts'
import { fromJsonText, toJson } from '../../../data/documents/ejson.ts'
import { isDoc } from '../../../expr/bson/value.ts'
import type { Caller } from '../../../identity/caller.ts'
import type { Clock } from '../../../kernel/clock.ts'
import type { Ids } from '../../../kernel/ids.ts'
import { isObject } from '../../../kernel/json.ts'
import type { DocumentWindows } from '../../../live/windows/document-windows.ts'
import { CloudError } from '../errors.ts'
import { orderOf } from '../requests.ts'
import { KeptWatch } from './kept-watch.ts'

export interface WatchesOptions {
  readonly windows: DocumentWindows
  readonly clock: Clock
  readonly ids: Ids
}

export interface Watches {
  open(caller: Caller, request: WatchRequest): Promise<KeptWatch>
  /** A watch of this caller that is still known; null otherwise. */
  find(caller: Caller, queryId: string): KeptWatch | null
  /** A new watch for the question that a query id carries. Throws CloudError. */
  reopen(caller: Caller, queryId: string): Promise<KeptWatch>
  /** Its socket is gone; it may come back. */
  left(watch: KeptWatch): void
  drop(watch: KeptWatch): void
  stop(): void
}

/** Longer than a look at another app. */
const KEPT_MS = 300_000

export const createWatches = ({ windows, clock, ids }: WatchesOptions): Watches => {
  const known = new Map<string, KeptWatch>()
  const drop = (watch: KeptWatch): void => {
    known.delete(watch.queryId)
    watch.close()
  }
  const open = async (caller: Caller, request: WatchRequest): Promise<KeptWatch> => {
    const watch = new KeptWatch(queryIdOf(ids.secret(9), request), ownerOf(caller), request.limit)
    known.set(watch.queryId, watch)
    try {
      watch.follow(await windows.open(caller, request, watch))
    } catch (error) {
      known.delete(watch.queryId)
      throw error
    }
    return watch
  }
  return {
    open,
    find(caller, queryId) {
      const watch = known.get(queryId)
      return watch !== undefined && watch.owner === ownerOf(caller) ? watch : null
    },
    async reopen(caller, queryId) {
      const request = requestOf(queryId)
      if (request === null) throw new CloudError('QUERYID_INVALID_ERROR', 'the watch is not known')
      // Under the rights of whoever asks: the id gives none.
      return open(caller, request)
    },
    left(watch) {
      clock.after(KEPT_MS, () => {
        if (!watch.attached) drop(watch)
      })
    },
    drop,
    stop() {
      for (const watch of [...known.values()]) drop(watch)
    },
  }
}

const ownerOf = ({ role, userId }: Caller): string => `${role}\0${userId ?? ''}`

/** The question travels in the id, so that any node can ask it again. */
const queryIdOf = (secret: string, { collection, query, order, limit }: WatchRequest): string => {
  const question = { collection, query: toJson(query, 'canonical'), order, limit }
  return `${secret}.${Buffer.from(JSON.stringify(question)).toString('base64url')}`
}

const requestOf = (queryId: string): WatchRequest | null => {
  try {
    const [, packed = ''] = queryId.split('.')
    const question: unknown = JSON.parse(Buffer.from(packed, 'base64url').toString('utf8'))
    if (!isObject(question) || typeof question.collection !== 'string') return null
    const query = fromJsonText(JSON.stringify(question.query))
    const order = Array.isArray(question.order) ? question.order : []
    const steps = order.map((each: unknown) =>
      isObject(each) ? { ...each, direction: each.direction === -1 ? 'desc' : 'asc' } : each,
    )
    const limit = typeof question.limit === 'number' && question.limit > 0 ? question.limit : null
    return isDoc(query) ? { collection: question.collection, query, order: orderOf(steps), limit } : null
  } catch {
    return null
  }
}
