/**
 * The first file of a form, as a stream. Fields before it are read first; fields after it come with `rest`.
 *
 * The mini-program client sends a text field and then the file as `file`, browsers send cacheControl and metadata and then the file under an
 * empty name: any file part will do, and only the first one counts.
 */
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy'
import { refusal } from './errors.ts'

export interface FormFile {
  readonly stream: Readable
  readonly contentType: string
  /** Fields so far. */
  readonly fields: ReadonlyMap<string, string>
  /** Resolves with all fields once the form has ended properly; rejects when it breaks off. */
  readonly rest: Promise<ReadonlyMap<string, string>>
}

const LIMITS = {
  files: 1,
  fields: 32,
  parts: 64,
  fieldNameSize: 256,
  fieldSize: 64 * 1024,
  headerPairs: 32,
  headerSize: 8 * 1024,
}

/** Reads a form up to its first file. The request keeps flowing only as fast as the file is read. */
export const readForm = (request: IncomingMessage): Promise<FormFile> =>
  new Promise((resolve, reject) => {
    const fields = new Map<string, string>()
    const parser = parserOf(request)
    let file: BusboyFileStream | null = null
    let settle: (error: Error | null) => void = () => {}
    const rest = new Promise<ReadonlyMap<string, string>>((done, failed) => {
      settle = (error) => (error === null ? done(fields) : failed(error))
    })
    // Without a file nobody waits for the rest.
    rest.catch(() => {})
    const fail = (error: Error): void => {
      request.unpipe(parser)
      file?.destroy(error)
      settle(error)
      reject(error)
    }
    parser.on('field', (name, value, nameTruncated, valueTruncated) => {
      if (nameTruncated || valueTruncated) fail(refusal('invalid_body', 'A field of the form is too large'))
      else fields.set(name ?? '', value)
    })
    parser.on('file', (_name, stream, _filename, _encoding, contentType) => {
      file = stream
      // An error that comes when nobody reads (yet, or any more) must not end the process.
      stream.on('error', () => {})
      resolve({ stream, contentType, fields, rest })
    })
    parser.on('partsLimit', () => fail(refusal('invalid_body', 'The form has too many parts')))
    parser.on('fieldsLimit', () => fail(refusal('invalid_body', 'The form has too many fields')))
    parser.on('error', (error) => fail(refusal('invalid_body', 'The form is malformed', { cause: error })))
    parser.on('finish', () => {
      settle(null)
      reject(noFile())
    })
    request.once('error', fail)
    request.once('close', () => {
      if (!request.complete) fail(refusal('invalid_body', 'The connection was closed before the upload was complete'))
    })
    request.pipe(parser)
  })

const noFile = () => refusal('no_content', 'The form holds no file')

const parserOf = (request: IncomingMessage): BusboyInstance => {
  const contentType = request.headers['content-type'] ?? ''
  try {
    return new Busboy({ headers: { ...request.headers, 'content-type': contentType }, limits: LIMITS })
  } catch (error) {
    throw refusal('invalid_body', 'The form has no boundary', { cause: error })
  }
}
