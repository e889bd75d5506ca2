/** Builds the account service of the app from its settings: keys, mail, short messages, WeChat, templates. */
import { readFile, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { JWK } from 'jose'
import type { AuthConfig } from './config/auth-config.ts'
import type { Config } from './config/config.ts'
import type { Pool } from './db/pool.ts'
import type { Development } from './development.ts'
import { type Auth, createAuth } from './identity/auth.ts'
import { KeyRing } from './identity/key-ring.ts'
import type { AuthSettings } from './identity/settings.ts'
import { AppError, toError } from './kernel/errors.ts'
import { parseJson } from './kernel/json.ts'
import { createLogMailer, createSmtpMailer, type Mailer, noMailer } from './notify/mailer.ts'
import { createLogSms, createWebhookSms, type SmsSender } from './notify/sms.ts'
import { createAliyunSms } from './notify/sms-aliyun.ts'
import { createTencentSms } from './notify/sms-tencent.ts'
import { DEFAULT_TEMPLATES, type MailTemplates } from './notify/templates.ts'
import { createWechatClient } from './wechat/client.ts'
import type { World } from './world.ts'

export interface AuthParts {
  readonly config: Config
  readonly jwtSecret: string
  readonly db: Pool
  readonly development: Development
  readonly externalUrl: () => string
}

export const openAuth = async (parts: AuthParts, world: World): Promise<Auth> => {
  const { config, db, development, externalUrl, jwtSecret } = parts
  const { auth } = config
  const path = auth.signingKeysPath === null ? null : await findFile(config.project, auth.signingKeysPath)
  const ring = await KeyRing.create({
    jwtSecret,
    previousSecrets: config.previousJwtSecrets,
    jwks: path === null ? [] : await readKeys(path),
  })
  const service = createAuth({
    db,
    ...world,
    settings: settingsOf(auth, development),
    ring,
    development: config.dev && !config.lan,
    mailer: mailerOf(config, world),
    sms: smsOf(config, world),
    templates: await templatesOf(config),
    wechat: development.wechat === null ? null : createWechatClient({ ...development.wechat, db, clock: world.clock }),
    externalUrl,
  })
  return path === null ? service : reloading(service, path, world)
}

/** In development, the sandbox has a website too, for login by QR code. */
const settingsOf = ({ settings }: AuthConfig, { website }: Development): AuthSettings => {
  if (website === null || settings.external.wechat_qr !== undefined) return settings
  const { appid: clientId, secret, apiBase: url } = website
  const provider = { enabled: true, clientId, secret, url, redirectUri: '', skipNonceCheck: false }
  return { ...settings, external: { ...settings.external, wechat_qr: provider } }
}

const mailerOf = ({ auth, dev }: Config, { log }: World): Mailer => {
  if (auth.smtp !== null) return createSmtpMailer(auth.smtp)
  return dev ? createLogMailer(log) : noMailer(log)
}

const smsOf = ({ auth: { sms }, dev }: Config, world: World): SmsSender | null => {
  switch (sms.kind) {
    case 'tencent':
      return createTencentSms(sms.settings, world)
    case 'aliyun':
      return createAliyunSms(sms.settings, world)
    case 'webhook':
      return createWebhookSms(sms.settings, world)
    case 'none':
      return dev ? createLogSms(world.log, world) : null
  }
}

/** A path of the file is meant from the project's `supabase/` folder or from the project itself. */
const findFile = async (project: string, path: string): Promise<string> => {
  if (isAbsolute(path)) return path
  const inSupabase = join(project, 'supabase', path)
  return (await stat(inSupabase).catch(() => null)) === null ? join(project, path) : inSupabase
}

const readText = async (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('bad_request', `${path} cannot be read`, { cause })
  })

const templatesOf = async ({ auth, project }: Config): Promise<MailTemplates> => {
  const templates = { ...DEFAULT_TEMPLATES }
  for (const { kind, subject, path } of auth.templates) {
    const content = path === null ? templates[kind].content : await readText(await findFile(project, path))
    templates[kind] = { subject: subject ?? templates[kind].subject, content }
  }
  return templates
}

const readKeys = async (path: string): Promise<readonly JWK[]> => {
  const keys = parseJson(await readText(path))
  if (!Array.isArray(keys)) throw new AppError('bad_request', `${path} should hold an array of JSON Web Keys`)
  // The key ring checks each of them.
  return keys as readonly unknown[] as readonly JWK[]
}

const LOOK_EVERY_MS = 2_000

/** Takes changed keys into use while the server runs. A file that is wrong changes nothing. */
const reloading = (service: Auth, path: string, { clock, log }: World): Auth => {
  let cancel = (): void => {}
  let looking: Promise<void> = Promise.resolve()
  let seen = 0
  const look = async (): Promise<void> => {
    const { mtimeMs } = await stat(path)
    if (mtimeMs === seen) return
    if (seen !== 0) {
      await service.context.ring.replace(await readKeys(path))
      log.info({}, 'the signing keys were read anew')
    }
    seen = mtimeMs
  }
  const schedule = (): void => {
    cancel = clock.after(LOOK_EVERY_MS, () => {
      looking = look().catch((error: unknown) =>
        log.error({ error: toError(error) }, 'the signing keys stay as they are'),
      )
      schedule()
    })
  }
  return {
    ...service,
    start: async () => {
      await look()
      schedule()
      await service.start()
    },
    stop: async () => {
      cancel()
      await looking
      await service.stop()
    },
  }
}
