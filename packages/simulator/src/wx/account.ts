/** Login, phone number, permissions and subscriptions: the answers come from the host's hooks. */
import { arrayOf, asyncApi, stringOf } from './call.ts'
import type { Hooks } from './host.ts'
import type { Phone } from './phone.ts'

/**
 * Codes for a stand-in of WeChat: `wxcode:<user>:<n>` from wx.login, `wxphone:<user>:<n>` for the phone number.
 * n starts at the clock, so a code is never given out twice, not even after a restart.
 */
export function defaultHooks(phone: Phone): Hooks {
  let last = 0
  const next = () => {
    last = Math.max(last + 1, phone.host.now())
    return last
  }
  return {
    login: (done) => done({ code: `wxcode:${phone.host.user}:${next()}` }),
    phoneNumber: (done) => done({ code: `wxphone:${phone.host.user}:${next()}` }),
    checkSession: (loggedIn, done) => done(loggedIn ? {} : { error: INVALID_SESSION }),
    subscribeMessage: (templates, done) => done(Object.fromEntries(templates.map((id) => [id, 'accept']))),
  }
}

/** What an app reads when it should call wx.login again. */
export const INVALID_SESSION = 'session is invalid'

/** Builds the account functions. */
export function createAccount(phone: Phone, hooks: Hooks) {
  let loggedIn = false
  const { settings } = phone
  const granting = (name: string, result: () => object) =>
    asyncApi(name, phone, (_, settle) => {
      const planned = phone.takeFailure(name)
      if (planned) settle.fail(planned.reason, planned.errno === undefined ? {} : { errno: planned.errno })
      else settle.ok(result())
    })
  return {
    login: asyncApi('login', phone, (_, settle) => {
      const planned = phone.takeFailure('login') ?? phone.networkRefusal()
      if (planned) return settle.fail(planned.reason, planned.errno === undefined ? {} : { errno: planned.errno })
      hooks.login((answer) => {
        if ('error' in answer) return settle.fail(answer.error)
        loggedIn = true
        settle.ok({ code: answer.code })
      })
    }),
    checkSession: asyncApi('checkSession', phone, (_, settle) => {
      const planned = phone.takeFailure('checkSession') ?? phone.networkRefusal()
      if (planned) return settle.fail(planned.reason, planned.errno === undefined ? {} : { errno: planned.errno })
      hooks.checkSession(loggedIn, ({ error }) => (error === undefined ? settle.ok() : settle.fail(error)))
    }),
    getAccountInfoSync: () => ({
      miniProgram: { appId: settings.appId, envVersion: settings.envVersion, version: '' },
      plugin: {},
    }),
    // The platform answers with an anonymous profile since 2022.
    getUserInfo: granting('getUserInfo', anonymousProfile),
    getUserProfile: granting('getUserProfile', anonymousProfile),
    getSetting: granting('getSetting', () => ({ authSetting: {} })),
    openSetting: granting('openSetting', () => ({ authSetting: {} })),
    authorize: granting('authorize', () => ({})),
    requestSubscribeMessage: asyncApi('requestSubscribeMessage', phone, (options, settle) => {
      const templates = arrayOf(options.tmplIds).map((id) => stringOf(id))
      if (templates.length === 0) return settle.fail('TmplIds can not be empty', { errCode: 10001 })
      hooks.subscribeMessage(templates, (answers) => settle.ok({ ...answers }))
    }),
  }
}

const anonymousProfile = () => ({
  userInfo: {
    nickName: '微信用户',
    avatarUrl: '',
    gender: 0,
    province: '',
    city: '',
    country: '',
    language: '',
  },
  rawData: '{"nickName":"微信用户"}',
})
