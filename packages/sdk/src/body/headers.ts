/** Headers. */
import { typeError } from '../core/errors.ts'
import { byName, Pairs, pairsIn } from '../core/pairs.ts'

export type HeadersInit = Headers | Iterable<Iterable<string>> | Readonly<Record<string, string>>

const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/

function nameOf(value: unknown): string {
  const name = String(value)
  if (!TOKEN.test(name)) throw typeError(`"${name}" is not a header name`)
  return name.toLowerCase()
}

function cleanValue(raw: unknown): string {
  const value = String(raw).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '')
  if (/[\0\r\n]|[^\0-\xff]/.test(value)) throw typeError('not a header value')
  return value
}

const SET_COOKIE = 'set-cookie'

/** Header fields; names in lower case, values of one name joined. */
export class Headers extends Pairs<string> {
  constructor(init?: HeadersInit | null) {
    super()
    if (init === undefined) return
    if (typeof init !== 'object' || init === null) throw typeError('not a list of headers')
    for (const pair of pairsIn(init)) this.append(String(pair[0]), String(pair[1]))
  }

  _name(name: unknown): string {
    return nameOf(name)
  }

  _value(value: unknown): string {
    return cleanValue(value)
  }

  override get(name: string): string | null {
    const values = this.getAll(name)
    return values.length > 0 ? values.join(', ') : null
  }

  getSetCookie(): string[] {
    return this.getAll(SET_COOKIE)
  }

  /** By name; only cookies are several entries of one name. */
  override _list(): [string, string][] {
    const pairs: [string, string][] = []
    this._pairs.forEach((pair) => {
      const known = pair[0] !== SET_COOKIE && pairs.find((one) => one[0] === pair[0])
      if (known) known[1] += `, ${pair[1]}`
      else pairs.push([pair[0], pair[1]])
    })
    return pairs.sort(byName)
  }
}

/** As `wx` takes them. */
export function plainHeaders(headers: Headers): Record<string, string> {
  const plain: Record<string, string> = {}
  headers.forEach((value, name) => {
    plain[name] = value
  })
  return plain
}

/** From what `wx` answers: any case, values that are lists on some platforms. What is no header is left out. */
export function headersFromWx(header: Readonly<Record<string, unknown>> | undefined): Headers {
  const headers = new Headers()
  for (const name of Object.keys(header ?? {})) {
    const value = header?.[name]
    for (const item of Array.isArray(value) ? value : [value]) {
      try {
        headers.append(name, String(item).replace(/[\r\n]+/g, ', '))
      } catch {
        // A value outside Latin-1 (a file name, say): the standard has no place for it.
      }
    }
  }
  return headers
}
