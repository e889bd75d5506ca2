/** The XML of S3: written from values, and read where a client sends a list. Pure. */
import { refusal } from '../../../../files/errors.ts'

export type XmlValue = string | number | boolean | null | undefined | XmlObject | readonly XmlValue[]
export interface XmlObject {
  readonly [name: string]: XmlValue
}

/** A list becomes the same element again and again; what is null or undefined is left out. */
export const xml = (root: string, content: XmlObject): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${element(root, content, ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"')}`

const element = (name: string, value: XmlValue, attributes = ''): string => {
  if (value === null || value === undefined) return ''
  if (isList(value)) return value.map((each) => element(name, each)).join('')
  const inner =
    typeof value === 'object'
      ? Object.entries(value)
          .map(([key, each]) => element(key, each))
          .join('')
      : escaped(String(value))
  return `<${name}${attributes}>${inner}</${name}>`
}

const isList = (value: XmlValue): value is readonly XmlValue[] => Array.isArray(value)

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

const escaped = (text: string): string =>
  text
    .replace(/[&<>"]/g, (char) => ESCAPES[char] ?? char)
    .replace(/[\r\n\t]/g, (char) => `&#x${char.charCodeAt(0).toString(16).toUpperCase()};`)

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

const unescaped = (text: string): string =>
  text.replace(/&(#x[\da-f]{1,6}|#\d{1,7}|\w+);/gi, (_all, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? ''
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
    return code <= 0x10ffff ? String.fromCodePoint(code) : ''
  })

/** The contents of all elements of one name that hold no element of the same name. No document type, so nothing expands. */
export const elementsOf = (text: string, name: string, most: number): readonly string[] => {
  if (/<!(?:DOCTYPE|ENTITY|\[CDATA)/i.test(text)) throw malformed()
  const found: string[] = []
  const open = new RegExp(`<${name}(?:\\s[^<>]*)?>`, 'g')
  for (let match = open.exec(text); match !== null; match = open.exec(text)) {
    const end = text.indexOf(`</${name}>`, open.lastIndex)
    if (end < 0 || found.length >= most) throw malformed()
    found.push(text.slice(open.lastIndex, end))
    open.lastIndex = end
  }
  return found
}

/** The text of the first such element; undefined when there is none. */
export const textOf = (text: string, name: string): string | undefined => {
  const [first] = elementsOf(text, name, 100)
  return first === undefined ? undefined : unescaped(first.trim())
}

const malformed = () => refusal('invalid_body', 'The XML you provided was not well-formed')
