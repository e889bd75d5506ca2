/** GitHub, which has an OAuth 2 of its own instead of OpenID Connect: no discovery, no id_token, addresses from its API. */
import * as oauth from 'oauth4webapi'
import { isObject, type Json, type JsonObject, parseJson } from '../kernel/json.ts'
import { createGuardedFetch, type GuardedFetch } from './guarded-fetch.ts'
import { clientIdsOf, type ExternalPerson, type ProviderLogin, personOf } from './oidc.ts'
import type { ExternalProvider } from './settings.ts'

/** Providers that this file knows. */
export const isGithub = (provider: string): boolean => provider === 'github'

interface Places {
  readonly site: string
  readonly api: string
}

/** A GitHub of the operator's own has its API below itself. */
const placesOf = ({ url }: ExternalProvider): Places =>
  url === '' ? { site: 'https://github.com', api: 'https://api.github.com' } : { site: url, api: `${url}/api/v3` }

const fetchOf = ({ url }: ExternalProvider): GuardedFetch => createGuardedFetch(url === '' ? [] : [new URL(url).host])

export interface GithubLeave {
  readonly state: string
  readonly verifier: string
  readonly redirectUri: string
  readonly scopes: string | undefined
}

/** The page that asks a person whether they agree. */
export const githubLoginUrl = async (settings: ExternalProvider, leave: GithubLeave): Promise<string> => {
  const url = new URL(`${placesOf(settings).site}/login/oauth/authorize`)
  const scopes = ['user:email', ...(leave.scopes ?? '').split(/[\s,]+/).filter((each) => each !== '')]
  const query = {
    client_id: clientIdsOf(settings)[0] ?? '',
    redirect_uri: leave.redirectUri,
    scope: [...new Set(scopes)].join(' '),
    state: leave.state,
    code_challenge: await oauth.calculatePKCECodeChallenge(leave.verifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url.href
}

export interface GithubReturn {
  readonly code: string
  readonly verifier: string
  readonly redirectUri: string
}

/** Exchanges the code of GitHub's redirect, and asks who it was. Rejects when GitHub refuses or answers something else. */
export const finishGithubLogin = async (settings: ExternalProvider, back: GithubReturn): Promise<ProviderLogin> => {
  const { site, api } = placesOf(settings)
  const fetch = fetchOf(settings)
  const form = new URLSearchParams({
    client_id: clientIdsOf(settings)[0] ?? '',
    client_secret: settings.secret,
    code: back.code,
    redirect_uri: back.redirectUri,
    code_verifier: back.verifier,
  })
  const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }
  const tokens = await read(
    await fetch(`${site}/login/oauth/access_token`, { method: 'POST', headers, body: form.toString() }),
  )
  // An error of GitHub's comes with status 200.
  if (!isObject(tokens) || typeof tokens.access_token !== 'string') throw new Error(`GitHub refused: ${nameOf(tokens)}`)
  const { access_token: accessToken, refresh_token: refreshToken } = tokens
  const ask = async (path: string): Promise<Json> =>
    read(
      await fetch(`${api}${path}`, {
        headers: {
          accept: 'application/vnd.github+json',
          authorization: `Bearer ${accessToken}`,
          'user-agent': 'teahouse',
        },
      }),
    )
  const person = readPerson(api, await ask('/user'), await ask('/user/emails'))
  return { person, accessToken, refreshToken: typeof refreshToken === 'string' ? refreshToken : null }
}

const read = async (response: Response): Promise<Json> => {
  if (response.status !== 200) throw new Error(`GitHub answered ${response.status}`)
  return parseJson(await response.text()) ?? null
}

const nameOf = (answer: Json): string =>
  isObject(answer) && typeof answer.error === 'string' ? answer.error.slice(0, 100) : 'no token'

/** The address that the person calls their primary one, else another that GitHub has verified; an unverified one says nothing. */
const readPerson = (api: string, user: Json, emails: Json): ExternalPerson => {
  if (!isObject(user) || !(Number.isSafeInteger(user.id) && Number(user.id) > 0)) throw new Error('GitHub named nobody')
  const list = Array.isArray(emails) ? emails.filter((each): each is JsonObject => isObject(each)) : []
  const verified = list.filter(({ email, verified: is }) => typeof email === 'string' && is === true)
  const email = (verified.find(({ primary }) => primary === true) ?? verified[0])?.email
  const name = typeof user.name === 'string' && user.name !== '' ? user.name : user.login
  const person = personOf('github', {
    sub: String(user.id),
    iss: api,
    name,
    preferred_username: user.login,
    picture: user.avatar_url,
    ...(email === undefined ? {} : { email, email_verified: true }),
  })
  return { ...person, claims: { ...person.claims, user_name: user.login } }
}
