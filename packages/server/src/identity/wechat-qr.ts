/** WeChat on the web: a QR code on a page of WeChat's, and the OAuth of its own that follows. */
import type { Clock } from '../kernel/clock.ts'
import type { JsonObject } from '../kernel/json.ts'
import { createTransport } from '../wechat/transport.ts'
import { refuse } from './errors.ts'
import type { ExternalProvider } from './settings.ts'
import { type WechatPerson, wechatError } from './wechat-login.ts'

/** Where people scan; `url` of the settings takes the place of both hosts, for a stand-in. */
const PAGE = 'https://open.weixin.qq.com'
const API = 'https://api.weixin.qq.com'

export interface QrPerson {
  readonly person: WechatPerson
  readonly profile: JsonObject
  readonly accessToken: string
}

/** The address of WeChat's page. */
export const qrLoginUrl = (
  settings: ExternalProvider,
  { state, redirectUri }: { readonly state: string; readonly redirectUri: string },
): string => {
  const url = new URL(`${settings.url === '' ? PAGE : settings.url.replace(/\/$/, '')}/connect/qrconnect`)
  const query = {
    appid: settings.clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'snsapi_login',
    state,
  }
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return `${url}#wechat_redirect`
}

/** Whom the code of the redirect belongs to. */
export const qrPerson = async (settings: ExternalProvider, code: string, clock: Clock): Promise<QrPerson> => {
  const transport = createTransport({ apiBase: settings.url === '' ? API : settings.url, clock })
  const ask = async (path: string, query: Readonly<Record<string, string>>): Promise<JsonObject> => {
    const answer = await transport.ask({ path, query }).catch((error: unknown) => {
      throw wechatError(error)
    })
    return answer.kind === 'json' ? answer.json : {}
  }
  const { clientId: appid, secret } = settings
  const tokens = await ask('/sns/oauth2/access_token', { appid, secret, code, grant_type: 'authorization_code' })
  const { openid, access_token: accessToken } = tokens
  if (typeof openid !== 'string' || typeof accessToken !== 'string') throw refuse('wechat_rejected')
  const profile = await ask('/sns/userinfo', { access_token: accessToken, openid })
  // The profile must be of the person whose code it was.
  if (profile.openid !== openid) throw refuse('wechat_rejected')
  const unionid = typeof profile.unionid === 'string' ? profile.unionid : tokens.unionid
  return {
    accessToken,
    person: {
      provider: 'wechat_qr',
      appid,
      openid,
      unionid: typeof unionid === 'string' && unionid !== '' ? unionid : null,
    },
    profile: {
      ...(typeof profile.nickname === 'string' ? { name: profile.nickname, full_name: profile.nickname } : {}),
      ...(typeof profile.headimgurl === 'string'
        ? { avatar_url: profile.headimgurl, picture: profile.headimgurl }
        : {}),
    },
  }
}
