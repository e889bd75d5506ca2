/** Blob and File, of bytes in memory and of files of the mini-program that are read when they are sent, and only then. */
import { concat, scalarValues, utf8Decode, utf8Encode, viewOf } from '../core/bytes.ts'
import { typeError } from '../core/errors.ts'
import { BLOB } from '../core/marks.ts'
import { named } from '../core/names.ts'
import { now, platform } from '../core/platform.ts'
import { mediaType } from './media-type.ts'
import { ReadableStream } from './stream.ts'

/** A range of a file of the mini-program. */
export interface FileRange {
  readonly path: string
  readonly position: number
  readonly length: number
  /** Whether the range is all of the file. */
  readonly whole: boolean
}

type Piece = Uint8Array<ArrayBuffer> | FileRange

export type BlobPart = string | ArrayBuffer | ArrayBufferView | Bytes

const isRange = (piece: Piece): piece is FileRange => 'path' in piece

/** How much of a file `stream()` holds in memory at once. */
const CHUNK = 256 * 1024

function readRange({ path, position, length }: FileRange): Promise<Uint8Array<ArrayBuffer>> {
  if (length === 0) return Promise.resolve(new Uint8Array(0))
  return new Promise((resolve, reject) => {
    platform()
      .getFileSystemManager()
      .readFile({
        filePath: path,
        position,
        length,
        success: ({ data }) => {
          const view = viewOf(data)
          if (view) resolve(new Uint8Array(view))
          else reject(typeError(`${path} was not read as bytes`))
        },
        fail: ({ errMsg }) => reject(typeError(errMsg ?? `${path} cannot be read`)),
      })
  })
}

function pieceOf(part: unknown): Piece[] {
  if (part instanceof Bytes) return part._pieces
  const view = viewOf(part)
  return [view ? new Uint8Array(view) : utf8Encode(String(part))]
}

/** Immutable bytes with a type. */
class Bytes {
  readonly _kind = BLOB
  readonly size: number
  readonly type: string
  readonly _pieces: Piece[]

  constructor(parts: readonly BlobPart[] = [], options: { readonly type?: string } = {}) {
    if (typeof parts !== 'object' || parts === null || !(Symbol.iterator in parts))
      throw typeError('Blob: not a list of parts')
    const type = String(options.type ?? '')
    this.type = /[^\x20-\x7e]/.test(type) ? '' : type.toLowerCase()
    const pieces = Array.from(parts).reduce<Piece[]>((all, part) => all.concat(pieceOf(part)), [])
    this._pieces = pieces
    this.size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  }

  slice(start = 0, end = this.size, type = ''): Bytes {
    const { size } = this
    const clamp = (at: number): number => Math.min(Math.max(at < 0 ? size + at : at, 0), size)
    return blobOf(cut(this._pieces, clamp(start), clamp(end)), type)
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.all(this._pieces.map((piece) => (isRange(piece) ? readRange(piece) : piece))).then(concat)
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.bytes().then((bytes) => bytes.buffer)
  }

  text(): Promise<string> {
    return this.bytes().then(utf8Decode)
  }

  stream(): ReadableStream {
    let at = 0
    return new ReadableStream({
      pull: (controller) => {
        if (at >= this.size) return controller.close()
        const part = this.slice(at, at + CHUNK)
        at += CHUNK
        return part.bytes().then((bytes) => controller.enqueue(bytes))
      },
    })
  }
}

function blobOf(pieces: Piece[], type: string): Bytes {
  const blob = new Bytes([], { type })
  return Object.assign(blob, { _pieces: pieces, size: pieces.reduce((sum, piece) => sum + piece.length, 0) })
}

/** The pieces between two places. */
function cut(pieces: readonly Piece[], start: number, end: number): Piece[] {
  const result: Piece[] = []
  let at = 0
  for (const piece of pieces) {
    const from = Math.max(start - at, 0)
    const length = Math.min(end - at, piece.length) - from
    at += piece.length
    if (length <= 0) continue
    if (length === piece.length) result.push(piece)
    else if (isRange(piece)) result.push({ path: piece.path, position: piece.position + from, length, whole: false })
    else result.push(piece.subarray(from, from + length))
  }
  return result
}

export interface FileOptions {
  readonly type?: string
  readonly lastModified?: number
}

/** A Blob with a name. */
export class File extends Bytes {
  readonly name: string
  readonly lastModified: number
  /** Called while this file is being uploaded, whatever library sends it. */
  onProgress: ((progress: Progress) => void) | null = null

  constructor(parts: readonly BlobPart[], name: string, options: FileOptions = {}) {
    super(parts, options)
    this.name = scalarValues(name)
    this.lastModified = options.lastModified ?? now()
  }
}

/** How far an upload is. */
export interface Progress {
  readonly loaded: number
  readonly total: number
}

export interface WxFileOptions extends FileOptions {
  /** Default: the last part of the path. */
  readonly name?: string
  /** Bytes, as choosers answer it; default: asked of the file system. */
  readonly size?: number
  readonly onProgress?: (progress: Progress) => void
}

/**
 * A file of the mini-program by its path (`tempFilePath` of a chooser): read when it is sent, range by range, or never,
 * when `wx.uploadFile` takes it by path.
 */
export function wxFile(path: string, options: WxFileOptions = {}): File {
  const name = options.name ?? path.slice(path.lastIndexOf('/') + 1)
  const size = options.size ?? platform().getFileSystemManager().statSync(path).size
  const file = new File([], name, { ...options, type: options.type ?? mediaType(name) })
  file.onProgress = options.onProgress ?? null
  const piece: FileRange = { path, position: 0, length: size, whole: true }
  return Object.assign(file, { _pieces: [piece], size })
}

/** The path of a Blob that is one whole file of the mini-program. */
export function pathOf(blob: Bytes): string | null {
  const piece = blob._pieces[0]
  return blob._pieces.length === 1 && piece && isRange(piece) && piece.whole ? piece.path : null
}

export { Bytes as Blob }

named({ Blob: Bytes, File })
