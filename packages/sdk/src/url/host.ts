/** The host of a URL: domain names, IPv4 in all its spellings, IPv6. */
import { codePointAt, utf8Decode } from '../core/bytes.ts'
import { encode } from './percent.ts'
import { decodeBytes } from './percent-bytes.ts'

/** The serialised host, or null when it is none. */
export function parseHost(text: string, isSpecial: boolean): string | null {
  if (text.charAt(0) === '[') return text.slice(-1) === ']' ? parseIpv6(text.slice(1, -1)) : null
  if (!isSpecial) return /[\0\t\n\r #/:<>?@[\\\]^|]/.test(text) ? null : encode(text, '')
  const decoded = utf8Decode(decodeBytes(text))
  const domain = decoded.indexOf('\ufffd') < 0 ? toAscii(decoded) : null
  if (domain === null || domain === '' || /[\0-\x20#%/:<>?@[\\\]^|\x7f]/.test(domain)) return null
  return endsInNumber(domain) ? parseIpv4(domain) : domain
}

/**
 * Domain names in lower case, other scripts as punycode. The mapping of UTS 46 comes with large tables; NFKC and lower
 * case give the same for the names that people register.
 */
function toAscii(text: string): string | null {
  // Dropped by UTS 46: soft hyphen, zero-width space and joiner, word joiner, byte order mark.
  const mapped = text
    .replace(/[\xad\u200b\u2060\ufeff]/g, '')
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\u3002/g, '.')
  const labels = mapped.split('.').map((label) => (/[^\0-\x7f]/.test(label) ? punycode(label) : label))
  return labels.indexOf('xn--') < 0 ? labels.join('.') : null
}

/** RFC 3492. */
function punycode(label: string): string {
  const points: number[] = []
  for (let at = 0; at < label.length; at++) {
    const point = codePointAt(label, at)
    if (point > 0xffff) at++
    points.push(point)
  }
  const basic = points.filter((point) => point < 0x80)
  let result = basic.map((point) => String.fromCharCode(point)).join('')
  let handled = basic.length
  if (handled > 0) result += '-'
  let [current, delta, bias, isFirst] = [0x80, 0, 72, true]
  while (handled < points.length) {
    const next = points.reduce(
      (least, point) => (point < current ? least : Math.min(least, point)),
      Number.POSITIVE_INFINITY,
    )
    delta += (next - current) * (handled + 1)
    current = next
    for (const point of points) {
      if (point < current) delta++
      if (point !== current) continue
      result += digits(delta, bias)
      bias = adapt(delta, handled + 1, isFirst)
      isFirst = false
      delta = 0
      handled++
    }
    delta++
    current++
  }
  return `xn--${result}`
}

const digit = (value: number): string => String.fromCharCode(value < 26 ? value + 97 : value + 22)

function digits(delta: number, bias: number): string {
  let result = ''
  let rest = delta
  for (let k = 36; ; k += 36) {
    const threshold = Math.min(Math.max(k - bias, 1), 26)
    if (rest < threshold) return result + digit(rest)
    result += digit(threshold + ((rest - threshold) % (36 - threshold)))
    rest = Math.floor((rest - threshold) / (36 - threshold))
  }
}

function adapt(delta: number, points: number, isFirst: boolean): number {
  let rest = Math.floor(delta / (isFirst ? 700 : 2))
  rest += Math.floor(rest / points)
  let k = 0
  for (; rest > 455; k += 36) rest = Math.floor(rest / 35)
  return k + Math.floor((36 * rest) / (rest + 38))
}

function endsInNumber(host: string): boolean {
  const parts = host.split('.')
  if (parts[parts.length - 1] === '' && parts.length > 1) parts.pop()
  const last = parts[parts.length - 1] ?? ''
  return /^(\d+|0x[0-9a-f]*)$/.test(last)
}

/** Decimal, octal with a leading 0, hexadecimal with 0x; NaN otherwise. */
function ipv4Number(part: string): number {
  if (/^0x[0-9a-f]*$/.test(part)) return part.length === 2 ? 0 : Number.parseInt(part, 16)
  if (/^0[0-7]+$/.test(part)) return Number.parseInt(part, 8)
  return /^(0|[1-9]\d*)$/.test(part) ? Number(part) : Number.NaN
}

function parseIpv4(host: string): string | null {
  const parts = host.replace(/\.$/, '').split('.')
  if (parts.length > 4) return null
  const numbers = parts.map(ipv4Number)
  const last = numbers.pop() ?? Number.NaN
  // Written so that NaN fails.
  if (!numbers.every((number) => number < 256) || !(last < 256 ** (4 - numbers.length))) return null
  const bytes = numbers.slice()
  for (let place = 3 - numbers.length; place >= 0; place--) bytes.push(Math.floor(last / 256 ** place) % 256)
  return bytes.join('.')
}

/** The eight groups, compressed. */
function parseIpv6(text: string): string | null {
  const halves = text.toLowerCase().split('::')
  if (halves.length > 2) return null
  const [head, tail] = [ipv6Groups(halves[0] ?? '', halves.length === 1), ipv6Groups(halves[1] ?? '', true)]
  if (!head || !tail) return null
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null
  const groups = head.concat(new Array<number>(missing).fill(0), tail)
  return `[${compress(groups.map((group) => group.toString(16)))}]`
}

/** Groups of one half; the last two may be an IPv4 address when this half ends the address. */
function ipv6Groups(text: string, isLast: boolean): number[] | null {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] ?? ''
    if (isLast && at === parts.length - 1 && part.indexOf('.') >= 0) {
      if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(part)) return null
      const bytes = part.split('.').map(Number)
      if (bytes.some((byte) => byte > 255)) return null
      groups.push((bytes[0] ?? 0) * 256 + (bytes[1] ?? 0), (bytes[2] ?? 0) * 256 + (bytes[3] ?? 0))
    } else if (/^[0-9a-f]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16))
    else return null
  }
  return groups
}

/** The first longest run of two or more zeros becomes `::`. */
function compress(groups: readonly string[]): string {
  let [start, length] = [-1, 1]
  for (let at = 0; at < groups.length; at++) {
    let end = at
    while (groups[end] === '0') end++
    if (end - at > length) [start, length] = [at, end - at]
    if (end > at) at = end
  }
  if (start < 0) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}
