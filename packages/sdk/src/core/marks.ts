/** Knows objects of classes that may not be loaded yet: such an object exists only when its class does. */
import type { Blob } from '../body/files.ts'
import type { FormData } from '../body/form-data.ts'
import type { ReadableStream } from '../body/stream.ts'

/** What each class writes on its objects. */
export const STREAM = 1
export const BLOB = 2
export const FORM = 3

const has = (value: unknown, kind: number): boolean =>
  // Anything may be looked at; what is none of these does not have the mark.
  typeof value === 'object' && value !== null && (value as { readonly _kind?: number })._kind === kind

export const isStream = (value: unknown): value is ReadableStream => has(value, STREAM)
export const isBlob = (value: unknown): value is Blob => has(value, BLOB)
export const isForm = (value: unknown): value is FormData => has(value, FORM)
