/** Differences of a window in the words of CloudBase's watch: what happened to a document, and what that means for the list. */
import { toJsonText } from '../../../data/documents/ejson.ts'
import { compareValues } from '../../../expr/bson/compare.ts'
import { type Doc, fieldOf, isDoc, type Value } from '../../../expr/bson/value.ts'
import type { DocumentEvent, WatchedDocument } from '../../../live/windows/document-windows.ts'

export interface WireEvent {
  readonly ID: number
  readonly DataType: 'init' | 'add' | 'update' | 'remove' | 'limit'
  readonly QueueType: 'init' | 'enqueue' | 'update' | 'dequeue'
  readonly DocID: string | number
  /** JSON text; `{}` for none. */
  readonly Doc: string
  /** JSON text of an object by dotted path. */
  readonly UpdatedFields?: string
  /** JSON text of a list of dotted paths. In lower case: SDKs read no other spelling. */
  readonly removedFields?: string
}

const NONE = '{}'

export const textOf = (document: Doc): string => toJsonText(document, 'plain')

const idOf = (document: Doc, key: string): string | number => {
  const id = fieldOf(document, '_id')
  return typeof id === 'number' ? id : key
}

/** The whole list, as the first answer or in place of what a client has. */
export const initEvents = (documents: Iterable<WatchedDocument>, id: number): readonly WireEvent[] =>
  [...documents].map(({ key, document }) => ({
    ID: id,
    DataType: 'init',
    QueueType: 'init',
    DocID: idOf(document, key),
    Doc: textOf(document),
  }))

export interface Telling {
  readonly id: number
  /** The document as the client has it. */
  readonly known: Doc | undefined
  /** Whether it comes or goes because of the limit of the list. */
  readonly displaced: boolean
}

/** One event. */
export const wireEvent = (event: DocumentEvent, { id, known, displaced }: Telling): WireEvent => {
  if (event.kind === 'leave') {
    const [dataType, docId] = [leaveType(event, displaced), known === undefined ? event.key : idOf(known, event.key)]
    return { ID: id, DataType: dataType, QueueType: 'dequeue', DocID: docId, Doc: NONE }
  }
  const { document, key } = event
  const base = { ID: id, DocID: idOf(document, key), Doc: textOf(document) }
  if (event.kind === 'enter') return { ...base, DataType: enterType(event, displaced), QueueType: 'enqueue' }
  return {
    ...base,
    DataType: 'update',
    QueueType: 'update',
    ...(known === undefined ? {} : changesOf(known, document)),
  }
}

/** Without a cause, the list was read anew: what is new in it was added, as far as anybody can tell. */
const enterType = ({ cause }: DocumentEvent, displaced: boolean): 'add' | 'update' | 'limit' => {
  if (cause === null) return displaced ? 'limit' : 'add'
  return cause === 'UPDATE' ? 'update' : 'add'
}

const leaveType = ({ cause }: DocumentEvent, displaced: boolean): 'remove' | 'update' | 'limit' => {
  if (cause === null) return displaced ? 'limit' : 'remove'
  return cause === 'UPDATE' ? 'update' : 'remove'
}

const changesOf = (before: Doc, after: Doc): Pick<WireEvent, 'UpdatedFields' | 'removedFields'> => {
  const updated = new Map<string, Value>()
  const removed: string[] = []
  compare(before, after, '', { updated, removed })
  return {
    ...(updated.size === 0 ? {} : { UpdatedFields: toJsonText(Object.fromEntries(updated), 'plain') }),
    ...(removed.length === 0 ? {} : { removedFields: JSON.stringify(removed) }),
  }
}

interface Changes {
  readonly updated: Map<string, Value>
  readonly removed: string[]
}

/** By dotted path, as deep as both are objects; a list is one value. */
const compare = (before: Doc, after: Doc, path: string, changes: Changes): void => {
  for (const [name, value] of Object.entries(after)) {
    const old = fieldOf(before, name)
    const at = path === '' ? name : `${path}.${name}`
    if (isDoc(value) && isDoc(old)) compare(old, value, at, changes)
    else if (old === undefined || compareValues(old, value) !== 0) changes.updated.set(at, value)
  }
  for (const name of Object.keys(before)) {
    if (fieldOf(after, name) === undefined) changes.removed.push(path === '' ? name : `${path}.${name}`)
  }
}
