/**
 * Credentials of cloud functions: made for each invocation, good for that invocation's function and caller, and gone when its time is over. Nothing
 * is stored: the session token says what it is for and is signed, and the secret key is derived from it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../kernel/clock.ts'
import { isObject, parseJson } from '../../kernel/json.ts'

/** Whom a function speaks for. */
export interface Grant {
  readonly function: string
  readonly invocation: string
  /** The caller's openid; empty for a timer. */
  readonly openid: string
  readonly unionid: string
  readonly userId: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export interface Credentials {
  readonly secretId: string
  readonly secretKey: string
  readonly sessionToken: string
}

export interface CredentialIssuer {
  issue(grant: Grant): Credentials
  /** The grant and the key that its requests are signed with; null when the token is not ours or no longer good. */
  open(secretId: string, sessionToken: string): { readonly grant: Grant; readonly secretKey: string } | null
}

const PREFIX = 'AKIDteahouse'

export const createCredentialIssuer = (secret: string, clock: Clock): CredentialIssuer => {
  const mac = (purpose: string, text: string): Buffer =>
    createHmac('sha256', secret).update(`${purpose}\0${text}`).digest()
  const credentialsOf = (payload: string): Credentials => {
    const sessionToken = `${payload}.${mac('token', payload).toString('base64url')}`
    return {
      secretId: `${PREFIX}${mac('id', payload).toString('hex').slice(0, 24)}`,
      secretKey: mac('key', payload).toString('base64url'),
      sessionToken,
    }
  }
  return {
    issue: (grant) => credentialsOf(Buffer.from(JSON.stringify(grant)).toString('base64url')),
    open(secretId, sessionToken) {
      const [payload = '', given = ''] = sessionToken.split('.')
      const known = credentialsOf(payload)
      if (!same(`${payload}.${given}`, known.sessionToken) || !same(secretId, known.secretId)) return null
      const grant = grantOf(parseJson(Buffer.from(payload, 'base64url').toString('utf8')))
      if (grant === null || grant.expiresAt < clock.now()) return null
      return { grant, secretKey: known.secretKey }
    },
  }
}

const same = (left: string, right: string): boolean => {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

const grantOf = (json: unknown): Grant | null => {
  if (!isObject(json)) return null
  const { function: name, invocation, openid, unionid, userId, expiresAt } = json
  const texts = [name, invocation, openid, unionid, userId]
  if (!texts.every((each) => typeof each === 'string') || typeof expiresAt !== 'number') return null
  // All five were looked at.
  const [functionName, id, open, union, user] = texts as string[]
  return {
    function: functionName ?? '',
    invocation: id ?? '',
    openid: open ?? '',
    unionid: union ?? '',
    userId: user ?? '',
    expiresAt,
  }
}
