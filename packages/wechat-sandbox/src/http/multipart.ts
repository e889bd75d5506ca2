/** Reads the one file of a multipart form; nothing more is sent to this API. */

export interface Upload {
  readonly filename: string
  readonly type: string
  readonly bytes: Buffer
}

const headersOf = (head: string): Map<string, string> =>
  new Map(
    head.split('\r\n').flatMap((line) => {
      const at = line.indexOf(':')
      return at < 0 ? [] : [[line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()] as const]
    }),
  )

/** The part called `name`, or null when the body is no form or has no such part. */
export const findUpload = (body: Buffer, contentType: string, name: string): Upload | null => {
  const boundary = /^multipart\/form-data;.*\bboundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType)
  if (boundary === null) return null
  const mark = Buffer.from(`--${boundary[1] ?? boundary[2] ?? ''}`)
  for (let start = body.indexOf(mark); start >= 0; ) {
    const next = body.indexOf(mark, start + mark.length)
    if (next < 0) return null
    const part = body.subarray(start + mark.length + 2, next - 2)
    const split = part.indexOf('\r\n\r\n')
    const headers = headersOf(part.toString('utf8', 0, Math.max(split, 0)))
    const disposition = headers.get('content-disposition') ?? ''
    if (split >= 0 && /\bname="([^"]*)"/.exec(disposition)?.[1] === name) {
      const filename = /\bfilename="([^"]*)"/.exec(disposition)?.[1] ?? ''
      return { filename, type: headers.get('content-type') ?? '', bytes: part.subarray(split + 4) }
    }
    start = next
  }
  return null
}
