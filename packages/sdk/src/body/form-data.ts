/** FormData. */
import { scalarValues } from '../core/bytes.ts'
import { FORM } from '../core/marks.ts'
import { named } from '../core/names.ts'
import { Pairs } from '../core/pairs.ts'
import { Blob, File } from './files.ts'

type Value = string | File

/** The fields of a form. */
export class FormData extends Pairs<Value, unknown> {
  readonly _kind = FORM

  _name(name: unknown): string {
    return scalarValues(name)
  }

  _value(value: unknown, filename?: string): Value {
    if (!(value instanceof Blob)) return scalarValues(value)
    if (value instanceof File && filename === undefined) return value
    const file = new File([value], filename ?? 'blob', { type: value.type })
    if (value instanceof File) file.onProgress = value.onProgress
    return file
  }
}

named({ FormData })
