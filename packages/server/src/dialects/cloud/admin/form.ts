/** Forms as CloudBase's SDKs send them to the open API: texts, and one part of bytes that does not say that it is bytes. */
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import { CloudError } from '../errors.ts'

/** The part that holds a protobuf message. */
const BYTES = 'requestData'

/** Throws CloudError for what is no form. */
export const readForm = (body: Buffer, type: string): Promise<Readonly<Record<string, string | Buffer>>> =>
  new Promise((resolve, reject) => {
    const invalid = () => reject(new CloudError('INVALID_COMMON_PARAM', 'the body is not a form'))
    const parts: Record<string, string | Buffer> = {}
    let parser: BusboyInstance
    try {
      // Each byte becomes one character, whatever text it may or may not be.
      parser = new Busboy({
        headers: { 'content-type': type },
        defCharset: 'latin1',
        limits: { fieldSize: body.length },
      })
    } catch {
      invalid()
      return
    }
    const keep = (name: string, bytes: Buffer): void => {
      parts[name] = name === BYTES ? bytes : bytes.toString('utf8')
    }
    parser.on('field', (name, value) => keep(name, Buffer.from(value, 'latin1')))
    parser.on('file', (name, stream) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => keep(name, Buffer.concat(chunks)))
    })
    parser.on('error', invalid)
    parser.on('finish', () => resolve(parts))
    parser.end(body)
  })
