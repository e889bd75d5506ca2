/** Writes a PNG of squares in one colour: all that a QR code needs. */
import { crc32, deflateSync } from 'node:zlib'

export interface Ink {
  readonly r: number
  readonly g: number
  readonly b: number
}

export interface Drawing {
  /** Rows of modules; true is inked. */
  readonly modules: readonly (readonly boolean[])[]
  /** Pixels of a side; modules are scaled to fill it as evenly as whole pixels allow. */
  readonly width: number
  /** Modules of empty space around. */
  readonly margin: number
  readonly ink: Ink
  /** Paper is see-through instead of white. */
  readonly transparent: boolean
}

const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])

const chunk = (type: string, data: Buffer): Buffer => {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(named.length + 8)
  framed.writeUInt32BE(data.length, 0)
  named.copy(framed, 4)
  framed.writeUInt32BE(crc32(named), named.length + 4)
  return framed
}

/** A palette image with one bit a pixel: paper is 0, ink is 1. */
export const drawPng = ({ modules, width, margin, ink, transparent }: Drawing): Buffer => {
  const side = modules.length + 2 * margin
  const inkedAt = (x: number, y: number): boolean => modules[y - margin]?.[x - margin] === true
  const bytesPerRow = Math.ceil(width / 8)
  const rows = Buffer.alloc((bytesPerRow + 1) * width)
  for (let y = 0; y < width; y++) {
    // The first byte of a row is its filter: none.
    const start = y * (bytesPerRow + 1) + 1
    const moduleY = Math.floor((y * side) / width)
    for (let x = 0; x < width; x++) {
      const index = start + (x >> 3)
      if (inkedAt(Math.floor((x * side) / width), moduleY)) rows[index] = (rows[index] ?? 0) | (0x80 >> (x & 7))
    }
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(width, 4)
  // One bit a pixel, palette, the only compression, the only filter method, not interlaced.
  header.set([1, 3, 0, 0, 0], 8)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from([255, 255, 255, ink.r, ink.g, ink.b])),
    ...(transparent ? [chunk('tRNS', Buffer.from([0]))] : []),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}
