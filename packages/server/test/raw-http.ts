/** HTTP requests as they must never be sent, and what the answer to them has to look like. */
import { request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'

export interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: Record<string, string | string[] | undefined>
}

/** Sends a path exactly as written: fetch would tidy it up first. */
export type Send = (
  method: string,
  path: string,
  body?: string | Buffer,
  headers?: Record<string, string>,
) => Promise<Answer>

/** The same to a server at `url`; the path goes below /storage/v1. */
export const sendTo = (url: string, ...[method, path, body, headers]: Parameters<Send>): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const length = { 'content-length': String(Buffer.byteLength(body ?? '')) }
    const target = { hostname, port, method, path: `/storage/v1${path}`, headers: { ...length, ...headers } }
    const request = httpRequest({ ...target, agent: false }, async (response) => {
      resolve({ status: response.statusCode ?? 0, body: await text(response), headers: response.headers })
    })
    request.on('error', reject)
    request.end(body)
  })

/** A 4xx in the shape of the storage dialect. */
export const expectRefusal = ({ status, body }: Answer, note = '') => {
  expect(status, note + body).toBeGreaterThanOrEqual(400)
  expect(status, note + body).toBeLessThan(500)
  expect(JSON.parse(body), note).toMatchObject({
    statusCode: expect.stringMatching(/^4\d\d$/),
    message: expect.any(String),
    error: expect.any(String),
  })
}
