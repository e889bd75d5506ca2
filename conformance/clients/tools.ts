/** What checks of a client are made of. Runs in any Node, with any of the clients. */

/** The clients differ in their types and agree in their methods: which of them exist is what is looked at. */
// biome-ignore lint/suspicious/noExplicitAny: three packages whose types contradict each other
export type Loose = any

export interface Platform {
  /** A client of its own, with the anon key: service keys are refused in mini-programs. */
  open(): Promise<Loose> | Loose
  /** Closes the clients that were opened: a mini-program has five sockets and no more. */
  close(): Promise<void>
  /** A file in the form in which this client takes files. */
  file(text: string): Loose
  /** Mini-programs get what wx.request answers where others get what was meant. */
  readonly wx: boolean
}

export interface Result {
  readonly area: string
  readonly name: string
  readonly outcome: 'passes' | 'not applicable' | 'gap'
  readonly reason: string
}

export class NotApplicable extends Error {}

/** Leaves the channels of clients, and closes their sockets. */
export const closeAll = async (clients: Loose[]): Promise<void> => {
  for (const client of clients.splice(0)) {
    await client.removeAllChannels()
    await client.realtime.disconnect()
  }
}

/** Compares as JSON: values of another realm have other prototypes. */
export const same = (actual: unknown, expected: unknown): void => {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (left !== right) throw new Error(`${left?.slice(0, 300)} instead of ${right?.slice(0, 300)}`)
}

export const until = async (what: string, condition: () => boolean): Promise<void> => {
  const deadline = Date.now() + 15_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export const needs = (target: Loose, method: string): void => {
  if (typeof target?.[method] !== 'function') throw new NotApplicable('this version has no such method')
}

/** The data of an answer, without the wrapping of wx.request. */
export const dataOf = ({ data, error }: Loose): Loose => {
  if (error !== null && error !== undefined) throw new Error(JSON.stringify(error).slice(0, 300))
  return data !== null && typeof data === 'object' && 'errMsg' in data ? data.data : data
}
export const errorOf = ({ error }: Loose): Loose => error?.data ?? error

export type Check = (platform: Platform) => Promise<void>
export type Area = Readonly<Record<string, Check>>

/** Rows that have only an id. */
export const ids = (...list: number[]) => list.map((id) => ({ id }))

/** A client, and an empty table for what a check writes. */
export const shelf = async ({ open }: Platform) => {
  const client = await open()
  await client.from('shelf').delete().gte('id', 0)
  return client
}
