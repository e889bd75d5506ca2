/** What the SDK asks of the mini-program: the documented part of `wx` that it uses, and the timers. Nothing here is a Web API. */

declare const wx: Wx | undefined
declare const setTimeout: (run: () => void, delay: number) => unknown
declare const clearTimeout: (handle: unknown) => void

/** What every asynchronous `wx` function takes. */
export interface Callbacks<Result> {
  success?: (result: Result) => void
  fail?: (failure: WxFailure) => void
}

export interface WxFailure {
  readonly errMsg?: string
  readonly errno?: number
}

export type WxHeader = Readonly<Record<string, unknown>>

export interface WxAnswer {
  readonly data?: unknown
  readonly statusCode?: number
  readonly header?: WxHeader
}

export interface WxTask {
  abort(): void
  onHeadersReceived?(listener: (head: WxAnswer) => void): void
  onChunkReceived?(listener: (chunk: { readonly data: ArrayBuffer }) => void): void
  onProgressUpdate?(
    listener: (progress: { readonly totalBytesSent: number; readonly totalBytesExpectedToSend: number }) => void,
  ): void
}

export interface WxRequest extends Callbacks<WxAnswer> {
  url: string
  method: string
  header: Record<string, string>
  data?: string | ArrayBuffer
  dataType: string
  responseType: string
  timeout?: number
  enableChunked?: boolean
  redirect?: 'follow' | 'manual'
}

export interface WxUpload extends Callbacks<WxAnswer> {
  url: string
  filePath: string
  name: string
  formData: Record<string, string>
  header: Record<string, string>
  timeout?: number
}

export interface WxSocketTask {
  send(options: { data: string | ArrayBuffer } & Callbacks<unknown>): void
  close(options: { code?: number; reason?: string } & Callbacks<unknown>): void
  onOpen(listener: (result: { readonly header?: WxHeader }) => void): void
  onMessage(listener: (result: { readonly data: string | ArrayBuffer }) => void): void
  onClose(listener: (result: { readonly code?: number; readonly reason?: string }) => void): void
  onError(listener: (result: WxFailure) => void): void
}

export interface WxFiles {
  readFile(
    options: { filePath: string; position?: number; length?: number } & Callbacks<{ readonly data: unknown }>,
  ): void
  statSync(path: string): { readonly size: number }
}

/** The functions of `wx` that the SDK calls. All are in every base library since 2.20, unless optional here. */
export interface Wx {
  request(options: WxRequest): WxTask
  uploadFile(options: WxUpload): WxTask
  connectSocket(
    options: { url: string; protocols?: string[]; header?: Record<string, string> } & Callbacks<unknown>,
  ): WxSocketTask
  getFileSystemManager(): WxFiles
  getStorageSync(key: string): unknown
  setStorageSync(key: string, value: unknown): void
  removeStorageSync(key: string): void
  getStorageInfoSync(): { readonly keys: readonly string[] }
  login(options: Callbacks<{ readonly code?: string }>): void
  onAppShow(listener: () => void): void
  onAppHide(listener: () => void): void
  onNetworkStatusChange(
    listener: (status: { readonly isConnected: boolean; readonly networkType: string }) => void,
  ): void
  getRandomValues?(options: { length: number } & Callbacks<{ readonly randomValues: ArrayBuffer }>): void
}

/** The mini-program's `wx`. Throws where there is none. */
export function platform(): Wx {
  if (typeof wx === 'undefined') throw new Error('wx is not defined')
  return wx
}

/** Runs later; the handle is for `cancel`. Timers stand still while the app is suspended. */
export const later = (run: () => void, delay: number): unknown => setTimeout(run, delay)
export const cancel = (handle: unknown): void => clearTimeout(handle)

/** The wall clock, milliseconds: the only clock that goes on while the app is suspended. */
export const now = (): number => Date.now()
