/** The event stream parser: the examples of the standard, and the same events however the text is cut. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { createSseParser, type StreamEvent } from './sse.ts'

// The long run, and a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const parse = (pieces: readonly string[], lastEventId = '') => {
  const events: StreamEvent[] = []
  const retries: number[] = []
  const parser = createSseParser({
    lastEventId,
    onEvent: (event) => void events.push(event),
    onRetry: (delay) => void retries.push(delay),
  })
  for (const piece of pieces) parser.push(piece)
  return { events, retries, lastEventId: parser.lastEventId }
}
const datas = (text: string) => parse([text]).events.map(({ data }) => data)

describe('an event stream', () => {
  it('joins data lines, and gives one event for each empty line', () => {
    expect(datas('data: YHOO\ndata: +2\ndata: 10\n\n')).toEqual(['YHOO\n+2\n10'])
    expect(datas('data\n\ndata\ndata\n\ndata:')).toEqual(['', '\n'])
  })

  it('drops one space after the colon, and comments', () => {
    expect(datas(':ping\n\ndata:test\n\ndata:  two\n\n')).toEqual(['test', ' two'])
  })

  it('keeps the id until another one comes, an empty one too', () => {
    const { events } = parse(['id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: x\0y\ndata: d\n\n'], '0')
    expect(events.map(({ lastEventId }) => lastEventId)).toEqual(['1', '1', '', ''])
    expect(parse(['data: a\n\n'], '9').events[0]?.lastEventId).toBe('9')
  })

  it('takes an id without data, but gives no event for it', () => {
    expect(parse(['id: 5\n\n'])).toEqual({ events: [], retries: [], lastEventId: '5' })
  })

  it('names events, for one event', () => {
    expect(parse(['event: add\ndata: 1\n\ndata: 2\n\n']).events.map(({ type }) => type)).toEqual(['add', 'message'])
  })

  it('reads the time to wait from digits alone', () => {
    expect(parse(['retry: 50\nretry: 5s\nretry:\n']).retries).toEqual([50])
  })

  it('ends an event at a lone carriage return without waiting for what follows', () => {
    expect(datas('data: a\r\r')).toEqual(['a'])
  })

  it('is the same however its text is cut', () => {
    const line = fc.constantFrom('data: a', 'data', 'id: 1', 'id', 'event: e', ': c', '', 'x', 'retry: 9', 'data:茶')
    const ending = fc.constantFrom('\n', '\r', '\r\n')
    const text = fc.array(fc.tuple(line, ending), { maxLength: 20 }).map((lines) => lines.flat().join(''))
    fc.assert(
      fc.property(text, fc.array(fc.nat(60), { maxLength: 6 }), (whole, places) => {
        const cuts = [0, ...places.filter((at) => at <= whole.length).sort((a, b) => a - b), whole.length]
        const pieces = cuts.slice(1).map((end, at) => whole.slice(cuts[at], end))
        expect(parse(pieces)).toEqual(parse([whole]))
      }),
      { seed: 20260403, numRuns: process.env['TEAHOUSE_SOAK'] ? 50_000 : 1_000 },
    )
  })
})
