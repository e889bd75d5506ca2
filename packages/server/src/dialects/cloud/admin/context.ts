/** What the actions of `/admin` need, and who asks. */
import type { Documents } from '../../../data/documents/documents.ts'
import type { Files } from '../../../files/files.ts'
import type { UrlSigner } from '../../../files/signing.ts'
import type { Functions } from '../../../functions/functions.ts'
import type { Caller } from '../../../identity/caller.ts'
import type { WechatClient } from '../../../wechat/client.ts'
import type { Grant } from '../credentials.ts'

export interface AdminServices {
  readonly documents: Documents
  readonly functions: Functions
  readonly files: Files
  readonly signer: UrlSigner
  /** Null where no mini-program is configured. */
  readonly wechat: WechatClient | null
}

export interface AdminRequest {
  readonly services: AdminServices
  readonly body: Readonly<Record<string, unknown>>
  /** Functions bypass every rule. */
  readonly caller: Caller
  /** Whom the function speaks for; null for the operator's own server. */
  readonly grant: Grant | null
  /** How the client reaches this server. */
  readonly base: string
}

/** What an action answers: `data`, and fields beside it. */
export interface AdminAnswer {
  readonly data?: unknown
  readonly [field: string]: unknown
}

export type AdminAction = (request: AdminRequest) => Promise<AdminAnswer | Buffer>
