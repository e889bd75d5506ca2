/** Calls of untyped wx functions from typed tests. */
import type { Wx } from '../wx/create.ts'

export type Result = { errMsg: string; errno?: number } & Record<string, unknown>

/** A wx function by its name, taking options. */
export function wxFunction(wx: Wx, name: string): (options?: object) => unknown {
  const run = wx[name]
  if (typeof run !== 'function') throw new Error(`wx.${name} is missing`)
  return (options) => run(options)
}

/** What a call ends with, success or failure, through callbacks. */
export const outcome = (wx: Wx, name: string, options: object = {}): Promise<Result> =>
  new Promise((complete) => void wxFunction(wx, name)({ ...options, complete }))
