/** TextEncoder and TextDecoder, for UTF-8: the decoder works over chunks that split characters. */
import { codePointAt, utf8Encode, viewOf } from './bytes.ts'
import { typeError } from './errors.ts'
import { named } from './names.ts'

/** Text to UTF-8. */
export class TextEncoder {
  get encoding(): string {
    return 'utf-8'
  }

  encode(text = ''): Uint8Array<ArrayBuffer> {
    return utf8Encode(String(text))
  }

  /** Writes as many whole characters as fit. */
  encodeInto(text: string, target: Uint8Array): { read: number; written: number } {
    let read = 0
    let written = 0
    while (read < text.length) {
      const units = codePointAt(text, read) > 0xffff ? 2 : 1
      const bytes = utf8Encode(text.slice(read, read + units))
      if (written + bytes.length > target.length) break
      target.set(bytes, written)
      read += units
      written += bytes.length
    }
    return { read, written }
  }
}

export interface DecoderOptions {
  readonly fatal?: boolean
  readonly ignoreBOM?: boolean
}

const LABELS = /^[\t\n\f\r ]*(unicode-1-1-utf-8|unicode11utf8|unicode20utf8|utf-?8|x-unicode20utf8)[\t\n\f\r ]*$/i

/** How many code units go through one call of fromCharCode: engines limit the number of arguments. */
const RUN = 4096
/** From here on a run is worth a call of its own. */
const LONG = 64

/** Where the run of ASCII that begins here ends. */
function plainEnd(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length && (bytes[at] ?? 0) < 0x80) at++
  return at
}

/** UTF-8 to text. Other encodings are refused with the RangeError that the standard gives unknown labels. */
export class TextDecoder {
  readonly fatal: boolean
  readonly ignoreBOM: boolean
  private _code = 0
  /** Bytes of the current character that are still to come, and the bounds of the next one. */
  private _needed = 0
  private _lower = 0x80
  private _upper = 0xbf
  private _started = false
  private _units: number[] = []
  private _text = ''

  constructor(label = 'utf-8', options: DecoderOptions = {}) {
    if (!LABELS.test(String(label))) throw new RangeError(`The "${label}" encoding is not supported`)
    this.fatal = options.fatal === true
    this.ignoreBOM = options.ignoreBOM === true
  }

  get encoding(): string {
    return 'utf-8'
  }

  decode(input?: ArrayBuffer | ArrayBufferView, options?: { readonly stream?: boolean }): string {
    const bytes = input === undefined ? new Uint8Array(0) : viewOf(input)
    if (!bytes) throw typeError('TextDecoder.decode: not a buffer')
    this._text = ''
    this._units = []
    try {
      for (let at = 0; at < bytes.length; ) {
        const plain = this._needed === 0 && this._started ? plainEnd(bytes, at) : at
        if (plain > at) this._putPlain(bytes, at, plain)
        at = plain
        if (at < bytes.length && this._take(bytes[at] ?? 0)) at++
      }
      if (!options?.stream && this._needed > 0) {
        this._needed = 0
        this._bad()
      }
    } catch (error) {
      this._reset()
      throw error
    }
    this._flush()
    if (!options?.stream) this._reset()
    return this._text
  }

  /** One byte. False: it ended a broken character and has to be looked at again. */
  private _take(byte: number): boolean {
    if (this._needed === 0) {
      if (byte < 0x80) this._put(byte)
      else this._lead(byte)
      return true
    }
    const fits = byte >= this._lower && byte <= this._upper
    this._lower = 0x80
    this._upper = 0xbf
    if (!fits) {
      this._needed = 0
      this._bad()
      return false
    }
    this._code = (this._code << 6) | (byte & 0x3f)
    if (--this._needed === 0) this._put(this._code)
    return true
  }

  private _lead(byte: number): void {
    if (byte < 0xc2 || byte > 0xf4) {
      this._bad()
      return
    }
    this._needed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    this._code = byte & (0x3f >> this._needed)
    // Overlong forms, surrogates and what is beyond U+10FFFF are cut off at the second byte.
    if (byte === 0xe0) this._lower = 0xa0
    if (byte === 0xed) this._upper = 0x9f
    if (byte === 0xf0) this._lower = 0x90
    if (byte === 0xf4) this._upper = 0x8f
  }

  private _bad(): void {
    if (this.fatal) throw typeError('The encoded data was not valid utf-8')
    this._put(0xfffd)
  }

  private _put(code: number): void {
    if (!this._started) {
      this._started = true
      if (code === 0xfeff && !this.ignoreBOM) return
    }
    if (code > 0xffff) this._units.push(0xd7c0 + (code >> 10), 0xdc00 | (code & 0x3ff))
    else this._units.push(code)
    if (this._units.length >= RUN) this._flush()
  }

  /** A run of ASCII: a long one at once, three times as fast as byte by byte. */
  private _putPlain(bytes: Uint8Array, start: number, end: number): void {
    if (end - start < LONG) {
      for (let at = start; at < end; at++) this._units.push(bytes[at] ?? 0)
      return
    }
    this._flush()
    for (let at = start; at < end; at += RUN) {
      const run = bytes.subarray(at, Math.min(at + RUN, end))
      // `apply` takes anything with a length; the type knows arrays alone.
      this._text += String.fromCharCode.apply(null, run as unknown as number[])
    }
  }

  private _flush(): void {
    this._text += String.fromCharCode.apply(null, this._units)
    this._units = []
  }

  private _reset(): void {
    this._started = false
    this._needed = 0
    this._lower = 0x80
    this._upper = 0xbf
  }
}

named({ TextDecoder, TextEncoder })
