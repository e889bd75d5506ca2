/** Windows of documents: a query of the document engine as a source, and its rows as documents. */
import type { Documents, WatchPlan, WatchRequest } from '../../data/documents/documents.ts'
import type { CatalogService } from '../../db/catalog/service.ts'
import { TRUE } from '../../expr/ast.ts'
import type { Doc } from '../../expr/bson/value.ts'
import type { Caller } from '../../identity/caller.ts'
import type { Json } from '../../kernel/json.ts'
import { jsonWriter } from '../json-values.ts'
import type { RowImage } from './row.ts'
import type { Window, WindowCause, WindowSource } from './source.ts'
import type { Windows } from './windows.ts'

export interface WatchedDocument {
  /** Identifies the document within its collection. */
  readonly key: string
  readonly document: Doc
}

export type DocumentEvent =
  /** It belongs from now on. No cause: others made room for it, or rights changed. */
  | { readonly kind: 'enter'; readonly key: string; readonly document: Doc; readonly cause: WindowCause }
  | { readonly kind: 'update'; readonly key: string; readonly document: Doc; readonly cause: WindowCause }
  | { readonly kind: 'leave'; readonly key: string; readonly cause: WindowCause }

export interface DocumentSink {
  /** All documents, in order. Called once, before anything else. */
  opened(documents: readonly WatchedDocument[]): void
  /** What is different since the last call; never empty. */
  changed(events: readonly DocumentEvent[]): void
  /** Nothing comes after this. */
  ended(reason: string): void
}

export interface DocumentWindows {
  /** Resolves after `opened` was called. Throws DocumentError. */
  open(caller: Caller, request: WatchRequest, sink: DocumentSink): Promise<Window>
}

export interface DocumentWindowsOptions {
  readonly windows: Windows
  readonly documents: Documents
  readonly catalog: Pick<CatalogService, 'current'>
}

export const createDocumentWindows = ({ windows, documents, catalog }: DocumentWindowsOptions): DocumentWindows => ({
  async open(caller, request, sink) {
    const plan = await documents.planWatch(caller, request)
    const read = reader(plan, catalog)
    const shown = (row: { readonly key: string; readonly row: RowImage }): WatchedDocument => ({
      key: row.key,
      document: read(row.row),
    })
    return windows.open(sourceOf(plan, request.limit, read), caller, {
      opened: (rows) => sink.opened(rows.map(shown)),
      changed: (events) =>
        sink.changed(
          events.map((event): DocumentEvent => {
            if (event.kind === 'leave') return { kind: 'leave', key: event.key, cause: event.cause }
            // Another place with other contents is a change of contents to somebody who keeps no places.
            const kind = event.kind === 'enter' ? 'enter' : 'update'
            return { kind, ...shown(event), cause: event.cause }
          }),
        ),
      ended: (reason) => sink.ended(reason),
    })
  },
})

type Read = (row: RowImage) => Doc

const sourceOf = (plan: WatchPlan, limit: number | null, read: Read): WindowSource => {
  const { sequence, keyColumn, columns } = plan
  const sign = sequence.descending ? -1 : 1
  const placeOf = (row: RowImage): string => row.cell(sequence.column) ?? ''
  return {
    schema: plan.schema,
    table: plan.table,
    key: `documents\0${plan.question}`,
    // What a document is asked is asked in JavaScript; rights alone narrow the rows before.
    where: TRUE,
    matches: (row) =>
      columns.some((column) => row.cell(column) === undefined) ? 'unsupported' : plan.matches(read(row)),
    compare: (left, right) => {
      const order = plan.ordered ? plan.compare(read(left), read(right)) : 0
      return order !== 0 ? order : sign * compareSequence(placeOf(left), placeOf(right), sequence.numeric)
    },
    limit,
    keyColumns: [keyColumn],
    orderColumns: plan.ordered ? columns : [sequence.column],
    columns,
    read: (count) => plan.read(count),
  }
}

const compareSequence = (left: string, right: string, numeric: boolean): number => {
  if (!numeric) return Buffer.compare(Buffer.from(left), Buffer.from(right))
  const [a, b] = [Number(left), Number(right)]
  return a < b ? -1 : a > b ? 1 : 0
}

/** Reads rows, each once: whether it belongs, where, and what is shown are three looks at the same document. */
const reader = (plan: WatchPlan, catalog: DocumentWindowsOptions['catalog']): Read => {
  const relation = catalog.current.relation(plan.schema, plan.table)
  const toJson = (name: string, text: string): Json => {
    const type = relation?.column(name)?.typeOid
    // Written by the line before.
    return JSON.parse(jsonWriter(catalog.current, type ?? 0)(text)) as Json
  }
  const known = new WeakMap<RowImage, Doc>()
  return (row) => {
    const found = known.get(row)
    if (found !== undefined) return found
    const doc = plan.document((column) => row.cell(column), toJson)
    known.set(row, doc)
    return doc
  }
}
