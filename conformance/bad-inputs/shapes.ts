/** Whether an answer is an error in the words of its dialect. */
import type { Answer } from './ask.ts'
import type { Voice } from './endpoints.ts'

type Kind = 'text' | 'text or null' | 'number' | 'anything'

const SHAPES: Readonly<Record<Voice, Readonly<Record<string, Kind>>>> = {
  rest: { code: 'text', details: 'anything', hint: 'text or null', message: 'text' },
  storage: { code: 'text', error: 'text', message: 'text', statusCode: 'text' },
  realtime: { error: 'text', message: 'text' },
  // In the version of the API that these tests ask for.
  auth: { code: 'text', message: 'text' },
  plain: { message: 'text', statusCode: 'number' },
}

const fits = (value: unknown, kind: Kind): boolean => {
  switch (kind) {
    case 'text':
      return typeof value === 'string' && value !== ''
    case 'text or null':
      return value === null || typeof value === 'string'
    case 'number':
      return typeof value === 'number'
    case 'anything':
      return value !== undefined
  }
}

/** What is wrong with an answer that must be a refusal; null when nothing is. */
export const wrongWith = ({ status, headers, body }: Answer, voice: Voice, method = 'GET'): string | null => {
  if (status < 400 || status > 499) return `answered ${status} ${body.slice(0, 200)}`
  if (method === 'HEAD') return body === '' ? null : 'a body for HEAD'
  if (!String(headers['content-type']).startsWith('application/json')) return `answered ${headers['content-type']}`
  let error: unknown
  try {
    error = JSON.parse(body)
  } catch {
    return `answered no JSON: ${body.slice(0, 200)}`
  }
  const fields = Object.entries(error ?? {})
  const shape = SHAPES[voice]
  const right =
    fields.length === Object.keys(shape).length && fields.every(([name, value]) => fits(value, shape[name] ?? 'text'))
  return right && fields.every(([name]) => name in shape) ? null : `answered ${body.slice(0, 200)}`
}
