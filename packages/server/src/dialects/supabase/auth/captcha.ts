/** Which routes ask whether they speak with a person, and where the client puts the answer. */
import type { FastifyRequest } from 'fastify'
import { isObject } from '../../../kernel/json.ts'
import { bodyOf, queryOf, text } from './body.ts'
import { type AuthServices, deviceOf } from './context.ts'

/** What a program would call many times: making accounts, guessing passwords, having messages sent. */
const ASKED = /\/(signup|token|otp|magiclink|recover|resend|sso)$/
/** They bring a proof that a person was given before. */
const PROVEN = new Set(['refresh_token', 'pkce'])

/** Throws `captcha_failed` where the operator asks and the answer is missing or wrong. The operator's own key is not asked. */
export const requirePerson = async ({ auth }: AuthServices, request: FastifyRequest): Promise<void> => {
  const { captcha, settings } = auth.context
  if (settings.captcha === null || request.method !== 'POST' || !ASKED.test(request.routeOptions.url ?? '')) return
  if (PROVEN.has(queryOf(request).grant_type ?? '')) return
  // Set when the request brought a key.
  const caller: FastifyRequest['caller'] | undefined = request.caller
  if (caller?.role === 'service_role') return
  const { gotrue_meta_security: security } = bodyOf(request)
  await captcha(isObject(security) ? text(security, 'captcha_token') : undefined, deviceOf(request).ip)
}
