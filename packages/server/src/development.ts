/** What `--dev` adds to a server: the WeChat sandbox, and which WeChat the server then talks to. */

import type { World } from './app.ts'
import type { Config } from './config/config.ts'
import type { WechatApp } from './config/wechat.ts'

/** The website app of the sandbox, for login by QR code; no such appid exists. */
export const DEV_WEBSITE_APPID = 'wx7ea0000000000002'

export interface Development {
  /** The mini-program that people log in from; null when none is configured. */
  readonly wechat: WechatApp | null
  /** A website that people log in to by QR code; null outside the sandbox. */
  readonly website: WechatApp | null
  /** Null when this server started no sandbox. */
  readonly sandboxUrl: string | null
  stop(): Promise<void>
}

const settled = (wechat: WechatApp | null): Development => ({
  wechat,
  website: null,
  sandboxUrl: null,
  stop: async () => {},
})

/** Starts what the settings ask for, and says loudly what that means. */
export const startDevelopment = async (config: Config, { log, clock, ids }: World): Promise<Development> => {
  if (config.lan)
    log.warn(
      { host: config.host },
      'with --dev --lan, everyone in this network can log in as anybody: never on a public address',
    )
  const { wechat, lan, host } = config
  switch (wechat.kind) {
    case 'none':
      return settled(null)
    case 'api':
      return settled({ appid: wechat.appid, secret: wechat.secret, apiBase: wechat.apiBase })
    case 'sandbox': {
      // Loaded only here: a server in production does not even read it.
      const { startSandbox } = await import('@teahouse/wechat-sandbox')
      const secret = ids.secret(24)
      const sandbox = await startSandbox({
        host,
        lan,
        clock,
        apps: [
          { appid: wechat.appid, secret },
          { appid: DEV_WEBSITE_APPID, secret, kind: 'website' },
        ],
        onProblem: (error) => log.error({ error }, 'the WeChat sandbox failed'),
      })
      return {
        wechat: { appid: wechat.appid, secret, apiBase: sandbox.url },
        website: { appid: DEV_WEBSITE_APPID, secret, apiBase: sandbox.url },
        sandboxUrl: sandbox.url,
        stop: () => sandbox.stop(),
      }
    }
  }
}
