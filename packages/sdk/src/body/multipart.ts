/** Multipart bodies: written, and read. */
import { concat, utf8Decode, utf8Encode } from '../core/bytes.ts'
import { typeError } from '../core/errors.ts'
import { parsePairs } from '../url/search-params.ts'
import { Blob, type BlobPart, File } from './files.ts'
import { FormData } from './form-data.ts'

const quoted = (name: string): string => name.replace(/\r?\n|\r/g, '%0D%0A').replace(/"/g, '%22')

/** The form as multipart/form-data. Files stay unread: the Blob is of their ranges. */
export function toMultipart(form: FormData): Blob {
  const boundary = `----TeahouseForm${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`
  const parts: BlobPart[] = []
  form.forEach((value, name) => {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name.replace(/\r?\n|\r/g, '\r\n'))}"`
    if (typeof value === 'string') parts.push(`${head}\r\n\r\n${value.replace(/\r?\n|\r/g, '\r\n')}\r\n`)
    else {
      const type = value.type || 'application/octet-stream'
      parts.push(`${head}; filename="${quoted(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`, value, '\r\n')
    }
  })
  const blob = new Blob(parts.concat(`--${boundary}--\r\n`))
  // A Blob's type is in lower case, a boundary is not.
  return Object.assign(blob, { type: `multipart/form-data; boundary=${boundary}` })
}

/** A form from a body with a content type. */
export function parseForm(bytes: Uint8Array<ArrayBuffer>, type: string): FormData {
  const form = new FormData()
  const boundary = /^multipart\/form-data\b.*;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type)
  if (/^application\/x-www-form-urlencoded/i.test(type))
    for (const pair of parsePairs(utf8Decode(bytes))) form.append(pair[0], pair[1])
  else if (boundary) parseMultipart(bytes, utf8Encode(`\r\n--${boundary[1] ?? boundary[2]}`), form)
  else throw typeError(`a body of type "${type}" is not a form`)
  return form
}

function parseMultipart(body: Uint8Array<ArrayBuffer>, delimiter: Uint8Array, form: FormData): void {
  // The first delimiter has no line break before it: one is lent.
  const bytes = concat([utf8Encode('\r\n'), body])
  let at = indexOf(bytes, delimiter, 0)
  while (at >= 0) {
    const start = at + delimiter.length
    const end = indexOf(bytes, delimiter, start)
    if (bytes[start] === 0x2d && bytes[start + 1] === 0x2d) return
    const split = indexOf(bytes, utf8Encode('\r\n\r\n'), start)
    if (end < 0 || split < 0 || split > end) break
    addPart(form, utf8Decode(bytes.subarray(start, split)), bytes.slice(split + 4, end))
    at = end
  }
  throw typeError('the multipart body is broken')
}

function addPart(form: FormData, head: string, content: Uint8Array<ArrayBuffer>): void {
  const parameter = (name: string): string | undefined => {
    const text = new RegExp(`;\\s*${name}="([^"]*)"`, 'i').exec(head)?.[1]
    return text?.replace(/%22/g, '"').replace(/%0d%0a/gi, '\r\n')
  }
  const [name, filename] = [parameter('name'), parameter('filename')]
  if (name === undefined) throw typeError('a part has no name')
  const type = /^content-type:\s*(.+)$/im.exec(head)?.[1]?.trim() ?? 'text/plain'
  form.append(name, filename === undefined ? utf8Decode(content) : new File([content], filename, { type }))
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(wanted[0] ?? 0, from); at >= 0; at = bytes.indexOf(wanted[0] ?? 0, at + 1)) {
    let length = 1
    while (length < wanted.length && bytes[at + length] === wanted[length]) length++
    if (length === wanted.length) return at
  }
  return -1
}
