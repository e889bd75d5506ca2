/** CloudBase's watch: the permission that `/web` gives, and the socket at which it is used. */
import type { UrlSigner } from '../../../files/signing.ts'
import type { Caller } from '../../../identity/caller.ts'
import type { Identity } from '../../../identity/identity.ts'
import type { Clock } from '../../../kernel/clock.ts'
import { AppError } from '../../../kernel/errors.ts'
import type { Ids } from '../../../kernel/ids.ts'
import type { DocumentWindows } from '../../../live/windows/document-windows.ts'
import type { Log } from '../../../observe/log.ts'
import type { UpgradeRoute } from '../../../sockets/server.ts'
import { ENVIRONMENT } from '../environment.ts'
import { CloudError } from '../errors.ts'
import { WatchSession } from './session.ts'
import { createWatches } from './watches.ts'

export interface WatchServices {
  readonly windows: DocumentWindows
  readonly identity: Identity
  readonly signer: UrlSigner
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
}

export interface WatchSurface {
  /** What `auth.wsWebSign` answers: where the socket is, and a permission for it. */
  sign(token: string | undefined, base: string): Promise<object>
  readonly upgrade: UpgradeRoute
  stop(): void
}

export const WATCH_PATH = '/cloud/watch'
const USE = 'cloud.watch'
/** A socket may log in again this long after it got its permission. */
const SIGN_SECONDS = 3_600

export const watchSurface = ({ windows, identity, signer, clock, ids, log }: WatchServices): WatchSurface => {
  const watches = createWatches({ windows, clock, ids })
  const authenticate = async (signStr: string): Promise<Caller> => {
    const payload = await signer.verify(signStr)
    if (payload === null || payload.use !== USE)
      throw new CloudError('SIGN_EXPIRED_ERROR', 'the permission has expired')
    const { token } = payload
    try {
      return await identity.authenticate({ apikey: undefined, bearer: typeof token === 'string' ? token : undefined })
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'unauthorized') throw error
      throw new CloudError('SIGN_EXPIRED_ERROR', error.message)
    }
  }
  const onGone = (caller: Caller, gone: () => void): (() => void) => {
    const { userId, expiresAt } = caller
    const session = caller.claims.session_id
    const unlisten = identity.onRevoked?.((subject) => {
      if (subject === userId || subject === session) gone()
    })
    const cancel =
      expiresAt === null ? null : clock.after(Math.min(2 ** 31 - 1, Math.max(0, expiresAt * 1000 - clock.now())), gone)
    return () => {
      unlisten?.()
      cancel?.()
    }
  }
  const onError = (error: unknown): string => {
    const id = ids.uuid()
    log.error({ error, id }, 'a watch failed')
    return id
  }
  return {
    async sign(token, base) {
      const signStr = await signer.sign({ use: USE, token: token ?? '' }, SIGN_SECONDS)
      return { signStr, wsUrl: base.replace(/^http/, 'ws') + WATCH_PATH, secretVersion: 1, envId: ENVIRONMENT }
    },
    upgrade: {
      path: WATCH_PATH,
      decide: async () => ({
        accept: (connection) =>
          new WatchSession({ connection, watches, authenticate, onGone, onError, env: ENVIRONMENT }),
      }),
    },
    stop: () => watches.stop(),
  }
}
