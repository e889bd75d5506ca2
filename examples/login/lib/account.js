// Who is logged in: silently at launch, and again whenever a session has ended. Pages know nothing of codes and tokens.
import { supabase } from './supabase'

/** Why something did not work, in one word that `lib/text` has a sentence for. */
export class Trouble extends Error {
  constructor(reason) {
    super(reason)
    this.reason = reason
  }
}

/** The server could not be reached, or not now: nothing is wrong with the session. */
const isAway = (error) => !error.status || error.status >= 500

/** The session behind the token has ended: it was revoked, its user is gone, or the phone's clock is wrong. */
const isEnded = (error) => [400, 401, 403, 404].includes(error.status)

const troubleOf = (error) => new Trouble(isAway(error) ? 'lost' : error.status === 429 ? 'busy' : 'refused')

const wechatCode = () =>
  new Promise((resolve, reject) => {
    wx.login({ success: ({ code }) => resolve(code), fail: () => reject(new Trouble('lost')) })
  })

let entering = null

/** Logs in with WeChat; nobody is asked anything. Two calls at once are one login. */
export const logIn = () => {
  entering =
    entering ||
    exchangeCode().finally(() => {
      entering = null
    })
  return entering
}

const exchangeCode = async () => {
  const { data, error } = await supabase.auth.signInWithWechat({ code: await wechatCode() })
  if (error) throw troubleOf(error)
  return data.user
}

/**
 * The user as the server knows them now, and how they got in: `kept` with the session that was there, `new` without one,
 * `again` in the place of one that had ended.
 */
export const whoAmI = async () => {
  // Renews an access token that has run out.
  const { data, error } = await supabase.auth.getSession()
  if (error && isAway(error)) throw new Trouble('lost')
  if (error) return { user: await logIn(), how: 'again' }
  if (!data.session) return { user: await logIn(), how: 'new' }
  const asked = await supabase.auth.getUser()
  if (!asked.error) return { user: asked.data.user, how: 'kept' }
  if (!isEnded(asked.error)) throw troubleOf(asked.error)
  return { user: await logIn(), how: 'again' }
}

/** Binds the phone number behind the code of a getPhoneNumber button; answers the user. */
export const bindPhone = async (code) => {
  const { data, error } = await supabase.auth.wechatBindPhone({ code })
  if (!error) return data.user
  if (isAway(error)) throw new Trouble('lost')
  if ([409, 422].includes(error.status)) throw new Trouble('taken')
  // Whether the session or the code was too old: after a new login, a new code settles both.
  if ([401, 403].includes(error.status)) await logIn()
  throw new Trouble('codeUsed')
}

/** Ends the session, of this device or of all. */
export const logOut = async (everywhere) => {
  const { error } = await supabase.auth.signOut({ scope: everywhere ? 'global' : 'local' })
  if (error) throw troubleOf(error)
}
