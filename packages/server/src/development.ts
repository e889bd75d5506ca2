/** What `--dev` adds to a server: the WeChat sandbox, and which WeChat the server then talks to. */

import type { Config } from './config/config.ts'
import { addSandboxPerson, readSandboxPeople } from './config/sandbox-people.ts'
import type { WechatApp } from './config/wechat.ts'
import { toError } from './kernel/errors.ts'
import type { World } from './world.ts'

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
  const { wechat } = config
  switch (wechat.kind) {
    case 'none':
      return settled(null)
    case 'api':
      return settled({ appid: wechat.appid, secret: wechat.secret, apiBase: wechat.apiBase })
    case 'sandbox':
      return withSandbox(wechat.appid, config, { log, clock, ids })
  }
}

const withSandbox = async (
  appid: string,
  { host, lan, dataDir }: Config,
  { log, clock, ids }: World,
): Promise<Development> => {
  // Loaded only here: a server in production does not even read it.
  const { startSandbox } = await import('@teahouse/wechat-sandbox')
  const secret = ids.secret(24)
  const onProblem = (error: unknown): void => log.error({ error: toError(error) }, 'the WeChat sandbox failed')
  const sandbox = await startSandbox({
    host,
    lan,
    clock,
    apps: [
      { appid, secret },
      { appid: DEV_WEBSITE_APPID, secret, kind: 'website' },
    ],
    people: await readSandboxPeople(dataDir),
    onNewPerson: (name) => void addSandboxPerson(dataDir, name).catch(onProblem),
    onProblem,
  })
  return {
    wechat: { appid, secret, apiBase: sandbox.url },
    website: { appid: DEV_WEBSITE_APPID, secret, apiBase: sandbox.url },
    sandboxUrl: sandbox.url,
    stop: () => sandbox.stop(),
  }
}
