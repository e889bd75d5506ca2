/** Calls the server: one address, an action, plain JSON; a session that ran out is renewed once. */
import type { Fetch } from '../index.ts'
import type { Session } from './session.ts'
import { refusal } from './style.ts'
import type { Plain } from './values.ts'

export interface Transport {
  readonly url: string
  readonly session: Session
  /** The answer of an action: its `data` and what stands beside it. Rejects with CloudError for `api`. */
  call(api: string, action: string, params: Plain): Promise<Answer>
}

export interface Answer extends Plain {
  readonly requestId: string
  readonly data?: Plain
}

interface Refused {
  readonly code?: string
  readonly message?: string
}

export interface TransportOptions {
  readonly url: string
  readonly key: string
  readonly session: Session
  readonly fetch: Fetch
}

/** The server no longer takes the token. */
const LOGIN_CODES = ['CHECK_LOGIN_FAILED', 'SIGN_EXPIRED_ERROR']

export function createTransport({ url, key, session, fetch }: TransportOptions): Transport {
  const ask = (token: string, body: Plain): Promise<Answer & Refused> =>
    fetch(`${url}/web`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, apikey: key },
      body: JSON.stringify(body),
    }).then((response) =>
      response.json().then(
        (answer) => answer as Answer & Refused,
        () => ({ requestId: '', code: 'SYS_ERR', message: `HTTP ${response.status}` }),
      ),
    )
  return {
    url,
    session,
    call(api, action, params) {
      const body = { ...params, action, dataVersion: '2020-01-10' }
      const attempt = (token: string, last: boolean): Promise<Answer> =>
        ask(token, body).then((answer) => {
          const { code, message = '' } = answer
          if (code === undefined) return answer
          if (!last && LOGIN_CODES.indexOf(code) !== -1)
            return session.renew(token).then((fresh) => attempt(fresh, true))
          throw refusal(api, code, message)
        })
      return session.token().then((token) => attempt(token, false))
    },
  }
}
