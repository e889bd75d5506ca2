/** The code that a login elsewhere gives to the page that began it, and its exchange for a session (PKCE, RFC 7636). */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Queryable } from '../db/pool.ts'
import { type AuthContext, nowOf } from './context.ts'
import { invalid, refuse } from './errors.ts'
import { type Flow, findFlowOfUser, finishFlow, insertFlow, redeemFlow } from './flow.sql.ts'
import type { AuthMethod } from './session.ts'

/** What the page keeps a secret for. */
export interface Challenge {
  readonly challenge: string
  readonly method: 's256' | 'plain'
}

/** A code must be redeemed within this time, seconds. */
const CODE_LIFE = 300

/** Checks the pair that a client sends; null when it sent none. */
export const parseChallenge = (challenge: string | undefined, method: string | undefined): Challenge | null => {
  if ((challenge ?? '') === '' && (method ?? '') === '') return null
  const kind = method?.toLowerCase()
  if ((challenge ?? '') === '' || (kind !== 's256' && kind !== 'plain')) {
    throw invalid('PKCE flow requires code_challenge_method and code_challenge')
  }
  if (challenge === undefined || !/^[A-Za-z0-9._~-]{43,128}$/.test(challenge)) {
    throw invalid('code challenge has to be between 43 and 128 characters and made of unreserved ones')
  }
  return { challenge, method: kind }
}

/** Remembers the challenge of a login that goes on in a mailbox. */
export const beginMailFlow = async (
  context: AuthContext,
  db: Queryable,
  flow: { readonly userId: string; readonly challenge: Challenge; readonly method: AuthMethod },
): Promise<void> => {
  await db.run(
    insertFlow(
      {
        id: context.ids.uuid(),
        userId: flow.userId,
        authCode: context.ids.uuid(),
        challengeMethod: flow.challenge.method,
        challenge: flow.challenge.challenge,
        provider: 'email',
        method: flow.method,
        redirectTo: null,
        linkingUserId: null,
        nonce: null,
        providerVerifier: null,
      },
      nowOf(context),
    ),
  )
}

/** The code for the page, once the link in the mailbox was opened. */
export const finishMailFlow = async (
  context: AuthContext,
  db: Queryable,
  { userId, method }: { readonly userId: string; readonly method: AuthMethod },
): Promise<string> => {
  const flow = await db.maybeOne<{ id: string }>(findFlowOfUser(userId, method))
  if (flow === null) throw refuse('flow_state_not_found')
  const authCode = context.ids.uuid()
  await db.run(finishFlow(flow.id, { userId, authCode }, nowOf(context)))
  return authCode
}

/** Redeems a code. The code is gone afterwards, whether or not the verifier was right. */
export const redeemCode = async (context: AuthContext, code: string, verifier: string): Promise<Flow> => {
  const flow = await context.db.maybeOne<Flow>(redeemFlow(code))
  if (flow === null || flow.userId === null) throw refuse('flow_state_not_found')
  const issued = Date.parse(flow.codeIssuedAt ?? flow.createdAt)
  if (issued + CODE_LIFE * 1000 < context.clock.now()) throw refuse('flow_state_expired')
  if (!matches(flow, verifier)) throw refuse('bad_code_verifier')
  return flow
}

const matches = ({ challenge, challengeMethod }: Flow, verifier: string): boolean => {
  if (challenge === null || verifier === '') return false
  const given = challengeMethod === 's256' ? createHash('sha256').update(verifier).digest('base64url') : verifier
  const [left, right] = [Buffer.from(given), Buffer.from(challenge)]
  return left.length === right.length && timingSafeEqual(left, right)
}
