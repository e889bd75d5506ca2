/** What the surfaces for clients need: the same services as `/admin`, under each caller's own rights. */
import type { Caller } from '../../../identity/caller.ts'
import type { AdminServices } from '../admin/context.ts'
import { ENVIRONMENT } from '../environment.ts'
import { type Body, countOf } from '../requests.ts'
import type { StorageContext } from '../storage.ts'

export interface ClientServices extends Omit<AdminServices, 'wechat'> {
  /** Documents that one read may bring, whatever the client asks for. */
  readonly maxDocuments: number
}

export interface ClientRequest {
  readonly services: ClientServices
  readonly caller: Caller
  readonly body: Body
  /** How the client reaches this server. */
  readonly base: string
}

export const storageOf = ({ services, base, caller }: ClientRequest): StorageContext => ({
  ...services,
  env: ENVIRONMENT,
  base,
  caller,
})

/** What the SDKs ask for when nobody says. */
const DEFAULT_LIMIT = 100

/** From where, and how many at most. */
export const rangeOf = ({ services, body }: ClientRequest): { readonly skip: number; readonly limit: number } => ({
  skip: countOf(body.offset, 'offset') ?? 0,
  limit: Math.min(countOf(body.limit, 'limit') ?? DEFAULT_LIMIT, services.maxDocuments),
})
