/** An answer of `wx.request` that is given out while its body still comes. */
import { ReadableStream, type StreamController } from '../body/stream.ts'
import { onAbort } from '../core/abort.ts'
import type { WxAnswer, WxTask } from '../core/platform.ts'
import { bytesIn, type Exchange, settle } from './transport.ts'

/** An answer whose body comes in chunks: it is given out with its headers, or with its first chunk where they come late. */
export class StreamedAnswer {
  private _exchange: Exchange
  private _body: ReadableStream
  private _controller: StreamController | null = null
  private _answered = false
  private _over = false
  private _task: WxTask | null = null
  private _forget: () => void

  constructor(exchange: Exchange) {
    this._exchange = exchange
    this._body = new ReadableStream({
      start: (controller) => {
        this._controller = controller
      },
      cancel: () => {
        this._over = true
        this._task?.abort()
        this._release()
        exchange._leave()
      },
    })
    const { signal } = exchange._request
    this._forget = onAbort(signal, () => this._controller?.error(signal.reason))
  }

  listen(task: WxTask): void {
    this._task = task
    // DevTools may leave the status out here: then the first chunk or the end tells.
    task.onHeadersReceived?.((head) => head.statusCode !== undefined && this._answer(head))
    task.onChunkReceived?.(({ data }) => {
      this._answer({})
      this._add(new Uint8Array(data.slice(0)))
    })
  }

  end(last: WxAnswer): void {
    this._release()
    this._answer(last)
    // Old base libraries do not know chunks: the whole body is here.
    const rest = bytesIn(last.data)
    if (rest) this._add(rest)
    if (!this._over) this._controller?.close()
    this._over = true
  }

  fail(error: unknown): void {
    // What was not answered yet may be tried again: then the signal still counts.
    if (this._answered) this._release()
    else this._forget()
    this._over = true
    this._controller?.error(error)
  }

  private _release(): void {
    this._forget()
    this._exchange._request._release()
  }

  private _answer(head: WxAnswer): void {
    if (this._answered) return
    this._answered = true
    settle(this._exchange, head, this._body)
  }

  private _add(bytes: Uint8Array<ArrayBuffer>): void {
    if (!this._over) this._controller?.enqueue(bytes)
  }
}
