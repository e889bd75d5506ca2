/** The parser of event streams, by the HTML standard; knows nothing of the network. */

export interface StreamEvent {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

export interface SseParser {
  /** Takes text in any pieces. */
  push(text: string): void
  /** What an event would carry as its id now. */
  readonly lastEventId: string
}

/** What a parser begins with and tells. */
export interface SseHandlers {
  /** The id of the last event of the connection before. */
  readonly lastEventId: string
  onEvent(event: StreamEvent): void
  onRetry(delay: number): void
}

/** Builds a parser. An event that the stream's end cuts off is never given. */
export function createSseParser(handlers: SseHandlers): SseParser {
  let rest = ''
  let afterReturn = false
  let data: string[] = []
  let type = ''
  let { lastEventId } = handlers
  let pendingId = lastEventId
  const dispatch = () => {
    lastEventId = pendingId
    if (data.length > 0) handlers.onEvent({ type: type || 'message', data: data.join('\n'), lastEventId })
    data = []
    type = ''
  }
  const line = (text: string) => {
    if (text === '') return dispatch()
    const colon = text.indexOf(':')
    const field = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') data.push(value)
    else if (field === 'event') type = value
    else if (field === 'id' && value.indexOf('\0') < 0) pendingId = value
    else if (field === 'retry' && /^\d+$/.test(value)) handlers.onRetry(Number(value))
  }
  return {
    push: (text) => {
      // CR LF is one line break, also when it is split between two pieces.
      const next = afterReturn && text.charAt(0) === '\n' ? text.slice(1) : text
      if (text !== '') afterReturn = next.slice(-1) === '\r'
      const lines = (rest + next).split(/\r\n|\n|\r/)
      rest = lines.pop() ?? ''
      for (const one of lines) line(one)
    },
    get lastEventId() {
      return lastEventId
    },
  }
}
