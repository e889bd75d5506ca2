/** `wx.cloud.database()`: collections, queries, documents, pipelines. */
import { aggregate, Pipeline } from './aggregate.ts'
import { changes, commands, conditions } from './commands.ts'
import { answer, type Callbacks, cloudError } from './style.ts'
import type { Transport } from './transport.ts'
import { decode, encode, Geo, type Plain, RegExpValue, ServerDate } from './values.ts'
import type { Watcher, Watches, WatchOptions } from './watch.ts'

export interface DatabaseParts {
  readonly transport: Transport
  readonly watches: Watches
  /** Documents of one `get`, at most; 20 in WeChat's own. */
  readonly limit: number
}

type Result<T> = Promise<T & { errMsg: string }>

interface Order {
  readonly field: string
  readonly direction: 'asc' | 'desc'
}

interface Question {
  readonly query: Plain
  readonly order: readonly Order[]
  readonly limit?: number
  readonly offset?: number
  readonly projection?: Plain
}

const EMPTY: Question = { query: {}, order: [] }
const MISSING = -1

export class Query {
  protected readonly _parts: DatabaseParts
  protected readonly _name: string
  protected readonly _question: Question

  constructor(parts: DatabaseParts, name: string, question: Question = EMPTY) {
    this._parts = parts
    this._name = name
    this._question = question
  }

  private _with(more: Partial<Question>): Query {
    return new Query(this._parts, this._name, { ...this._question, ...more })
  }

  where(query: unknown): Query {
    return this._with({ query: conditions(query) })
  }

  orderBy(field: string, direction: 'asc' | 'desc'): Query {
    return this._with({ order: this._question.order.concat([{ field, direction }]) })
  }

  limit(limit: number): Query {
    return this._with({ limit })
  }

  skip(offset: number): Query {
    return this._with({ offset })
  }

  field(projection: Plain): Query {
    return this._with({ projection: encode(projection) as Plain })
  }

  get(options?: Callbacks): Result<{ data: unknown[] }> {
    return answer('collection.get', options, () => {
      const { limit = this._parts.limit } = this._question
      const params = { ...this._question, queryType: 'WHERE', limit: Math.min(limit, this._parts.limit) }
      return this._call('collection.get', 'database.queryDocument', params).then(({ list }) => ({
        data: (list as readonly unknown[]).map(decode),
      }))
    })
  }

  count(options?: Callbacks): Result<{ total: number }> {
    return answer('collection.count', options, () =>
      this._call('collection.count', 'database.countDocument', { query: this._question.query }).then(({ total }) => ({
        total: Number(total),
      })),
    )
  }

  update(options: Callbacks & { readonly data: Plain }): Result<{ stats: { updated: number } }> {
    return answer('collection.update', options, () =>
      this._call('collection.update', 'database.updateDocument', {
        query: this._question.query,
        data: changes(options.data),
        multi: true,
        merge: true,
        upsert: false,
      }).then(({ updated }) => ({ stats: { updated: Number(updated) } })),
    )
  }

  remove(options?: Callbacks): Result<{ stats: { removed: number } }> {
    return answer('collection.remove', options, () =>
      this._call('collection.remove', 'database.deleteDocument', { query: this._question.query, multi: true }).then(
        ({ deleted }) => ({ stats: { removed: Number(deleted) } }),
      ),
    )
  }

  watch(options: WatchOptions): Watcher {
    const { query, order, limit } = this._question
    return this._parts.watches.open({ collection: this._name, query, order, limit }, options)
  }

  protected _call(api: string, action: string, params: Plain): Promise<Plain> {
    const body = { collectionName: this._name, ...params }
    return this._parts.transport.call(api, action, body).then(({ data = {} }) => data)
  }
}

export class Collection extends Query {
  get collectionName(): string {
    return this._name
  }

  doc(id: string | number): Document {
    return new Document(this._parts, this._name, id)
  }

  add(options: Callbacks & { readonly data: Plain }): Result<{ _id: string | number }> {
    return answer('collection.add', options, () =>
      this._call('collection.add', 'database.addDocument', { data: encode(options.data) }).then((data) => ({
        ['_id']: data['_id'] as string | number,
      })),
    )
  }

  aggregate(): Aggregation {
    return new Aggregation(this._parts, this._name)
  }
}

export class Document {
  private readonly _parts: DatabaseParts
  private readonly _name: string
  private readonly _key: string | number
  private readonly _projection: Plain | undefined

  constructor(parts: DatabaseParts, name: string, key: string | number, projection?: Plain) {
    this._parts = parts
    this._name = name
    this._key = key
    this._projection = projection
  }

  field(projection: Plain): Document {
    return new Document(this._parts, this._name, this._key, encode(projection) as Plain)
  }

  get(options?: Callbacks): Result<{ data: unknown }> {
    return answer('document.get', options, () =>
      this._call('document.get', 'database.queryDocument', { limit: 1, projection: this._projection }).then(
        ({ list }) => {
          const [found] = list as readonly unknown[]
          if (found === undefined)
            throw cloudError('document.get', MISSING, `document with _id ${this._key} does not exist`)
          return { data: decode(found) }
        },
      ),
    )
  }

  /** Replaces the document, or makes it. */
  set(options: Callbacks & { readonly data: Plain }): Result<object> {
    return answer('document.set', options, () =>
      this._call('document.set', 'database.updateDocument', {
        data: encode(options.data),
        multi: false,
        merge: false,
        upsert: true,
      }).then(({ updated, upserted_id: created }) => ({
        ['_id']: this._key,
        stats: { updated: Number(updated), created: created === undefined || created === null ? 0 : 1 },
      })),
    )
  }

  update(options: Callbacks & { readonly data: Plain }): Result<{ stats: { updated: number } }> {
    return answer('document.update', options, () =>
      this._call('document.update', 'database.updateDocument', {
        data: changes(options.data),
        multi: false,
        merge: true,
        upsert: false,
      }).then(({ updated }) => ({ stats: { updated: Number(updated) } })),
    )
  }

  remove(options?: Callbacks): Result<{ stats: { removed: number } }> {
    return answer('document.remove', options, () =>
      this._call('document.remove', 'database.deleteDocument', { multi: false }).then(({ deleted }) => ({
        stats: { removed: Number(deleted) },
      })),
    )
  }

  watch(options: WatchOptions): Watcher {
    const query = { ['_id']: this._key }
    return this._parts.watches.open({ collection: this._name, query, order: [], limit: undefined }, options)
  }

  private _call(api: string, action: string, params: Plain): Promise<Plain> {
    const body = { collectionName: this._name, queryType: 'DOC', query: { ['_id']: this._key }, ...params }
    return this._parts.transport.call(api, action, body).then(({ data = {} }) => data)
  }
}

export class Aggregation extends Pipeline {
  private readonly _parts: DatabaseParts
  private readonly _name: string

  constructor(parts: DatabaseParts, name: string) {
    super()
    this._parts = parts
    this._name = name
  }

  end(options?: Callbacks): Result<{ list: unknown[] }> {
    return answer('collection.aggregate', options, () =>
      this._parts.transport
        .call('collection.aggregate', 'database.aggregate', { collectionName: this._name, stages: this._stages })
        .then(({ data = {} }) => ({
          list: (JSON.parse(String(data.list)) as readonly string[]).map((each) => decode(JSON.parse(each))),
        })),
    )
  }
}

/** What `wx.cloud.database()` answers. */
export const createDatabase = (parts: DatabaseParts, config: Plain) => ({
  config,
  command: { ...commands, aggregate },
  Geo,
  collection: (name: string) => new Collection(parts, name),
  serverDate: ({ offset = 0 }: { readonly offset?: number } = {}) => new ServerDate(offset),
  RegExp: ({ regexp, options = '' }: { readonly regexp: string; readonly options?: string }) =>
    new RegExpValue(regexp, options),
})
