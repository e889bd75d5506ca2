/** Multipart bodies against Node's own: what we write it reads, and what it writes we read. */
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { File as OurFile } from './files.ts'
import { FormData as OurForm } from './form-data.ts'
import { parseForm, toMultipart } from './multipart.ts'

// The long run, and a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const runs = { seed: 20260405, numRuns: process.env['TEAHOUSE_SOAK'] ? 5_000 : 200 }
// Node's parser drops a byte order mark at the start of a value.
const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => !value.startsWith('\ufeff'))
// A file without a name is written by Node as a text.
const name = text.filter((value) => value !== '')
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom('\r\n--', '--\r\n', '\r\n\r\n', '').map((value) => new TextEncoder().encode(value)),
)
const field = fc.oneof(
  fc.record({ name, value: text }),
  fc.record({ name, file: name, bytes, type: fc.constantFrom('image/png', 'text/plain') }),
)
type Field = { name: string; value: string } | { name: string; file: string; bytes: Uint8Array; type: string }

const lines = (value: string): string => value.replace(/\r\n|\r|\n/g, '\r\n')
const expected = (fields: readonly Field[]) =>
  fields.map((one) =>
    'value' in one ? [lines(one.name), lines(one.value)] : [lines(one.name), one.file, one.type, [...one.bytes]],
  )
/** Entries of either kind of form as plain data. */
const shown = (entries: Iterable<readonly [string, unknown]>) =>
  Promise.all(
    [...entries].map(async ([key, value]) => {
      if (typeof value === 'string') return [key, value]
      // Not a text: a file of either kind.
      const file = value as OurFile
      return [key, file.name, file.type, [...new Uint8Array(await file.arrayBuffer())]]
    }),
  )

it('Node reads what we write', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(field, { maxLength: 5 }), async (fields) => {
      const form = new OurForm()
      for (const one of fields)
        if ('value' in one) form.append(one.name, one.value)
        else form.append(one.name, new OurFile([one.bytes], one.file, { type: one.type }))
      const body = toMultipart(form)
      const response = new Response(await body.arrayBuffer(), { headers: { 'content-type': body.type } })
      const read = fields.length === 0 ? [] : [...(await response.formData()).entries()]
      expect(await shown(read)).toEqual(expected(fields))
    }),
    runs,
  )
})

it('we read what Node writes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(field, { maxLength: 5 }), async (fields) => {
      const form = new FormData()
      for (const one of fields)
        if ('value' in one) form.append(one.name, one.value)
        else form.append(one.name, new File([new Uint8Array(one.bytes)], one.file, { type: one.type }))
      const response = new Response(form)
      const type = response.headers.get('content-type') ?? ''
      const read = parseForm(new Uint8Array(await response.arrayBuffer()), type)
      expect(await shown(read)).toEqual(expected(fields))
    }),
    runs,
  )
})
