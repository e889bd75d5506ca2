/** Addresses that a browser is sent to, with what the page there is told. */
import type { Grant } from '../../../identity/session.ts'

type Parameters = Readonly<Record<string, string | undefined>>

/** Adds parameters to the query or the fragment of an address. */
export const withParameters = (target: string, parameters: Parameters, where: 'query' | 'fragment'): string => {
  const [beforeFragment = '', fragment = ''] = split(target, '#')
  const added = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) added.set(name, value)
  if (where === 'fragment') return `${beforeFragment}#${fragment === '' ? '' : `${fragment}&`}${added}`
  const joined = `${beforeFragment}${beforeFragment.includes('?') ? '&' : '?'}${added}`
  return fragment === '' ? joined : `${joined}#${fragment}`
}

const split = (text: string, mark: string): readonly [string, string] => {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)]
}

/** A session in the form that pages read from their address. */
export const grantFragment = (grant: Grant, type: string | undefined): Parameters => ({
  access_token: grant.accessToken,
  expires_at: String(grant.expiresAt),
  expires_in: String(grant.expiresIn),
  refresh_token: grant.refreshToken,
  token_type: 'bearer',
  type,
  provider_token: grant.provider?.token ?? undefined,
  provider_refresh_token: grant.provider?.refreshToken ?? undefined,
})
