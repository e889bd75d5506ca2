/** An account service on a free port over a fresh database, with a mailbox and a WeChat of its own, for tests of identity and its dialect. */
import type { AddressInfo } from 'node:net'
import { type Sandbox, startSandbox } from '@teahouse/wechat-sandbox'
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { SMTPServer } from 'smtp-server'
import { authDialect } from '../src/dialects/supabase/auth/auth.ts'
import { type Auth, createAuth } from '../src/identity/auth.ts'
import { createIdentity, type Identity } from '../src/identity/identity.ts'
import { KeyRing, type KeyRingOptions } from '../src/identity/key-ring.ts'
import { type AppKeys, deriveKeys } from '../src/identity/keys.ts'
import { type AuthSettings, DEFAULT_AUTH } from '../src/identity/settings.ts'
import { TokenVerifier } from '../src/identity/tokens.ts'
import type { Clock } from '../src/kernel/clock.ts'
import { randomIds } from '../src/kernel/ids.ts'
import { createSmtpMailer } from '../src/notify/mailer.ts'
import type { SmsMessage, SmsSender } from '../src/notify/sms.ts'
import { createLog, type RootLog } from '../src/observe/log.ts'
import { createWechatClient, type WechatClient } from '../src/wechat/client.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'

export const APPID = 'wx0000000000000001'
export const WEBSITE = 'wx0000000000000002'
const APP_SECRET = 'app-secret-of-the-test'

/** A clock that runs like any other, and can be set forward. */
export interface TestClock extends Clock {
  advance(seconds: number): void
}

export const testClock = (): TestClock => {
  let ahead = 0
  return {
    now: () => Date.now() + ahead,
    after: (ms, callback) => {
      const timer = setTimeout(callback, ms)
      timer.unref()
      return () => clearTimeout(timer)
    },
    advance: (seconds) => {
      ahead += seconds * 1000
    },
  }
}

export interface Mail {
  readonly to: string
  readonly raw: string
}

export interface Mailbox {
  readonly url: string
  readonly mails: readonly Mail[]
  /** The latest mail to an address, once it has arrived. */
  latest(to: string, after?: number): Promise<Mail>
  close(): Promise<void>
}

/** A real SMTP server that keeps what it is given. */
export const startMailbox = async (): Promise<Mailbox> => {
  const mails: Mail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const raw = Buffer.concat(chunks).toString('utf8')
        for (const { address } of session.envelope.rcptTo) mails.push({ to: address, raw })
        done()
      })
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    latest: async (to, after = 0) => {
      const deadline = Date.now() + 10_000
      for (;;) {
        const found = mails.slice(after).findLast((mail) => mail.to === to)
        if (found !== undefined) return found
        if (Date.now() > deadline) throw new Error(`no mail to ${to}`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** The text of a mail, with the wrapping of its transfer undone. */
export const textOf = ({ raw }: Mail): string => {
  const parts = raw.split(/\r\n\r\n/).slice(1)
  const decoded = parts.map((part) =>
    part
      .replace(/=\r\n/g, '')
      .replace(/((?:=[0-9A-F]{2})+)/g, (hex) => Buffer.from(hex.replaceAll('=', ''), 'hex').toString('utf8')),
  )
  const base64 = parts.filter((part) => /^[A-Za-z0-9+/=\r\n]+(\r\n--|$)/.test(part))
  return [
    ...decoded,
    ...base64.map((part) => Buffer.from(part.split('\r\n--')[0] ?? '', 'base64').toString('utf8')),
  ].join('\n')
}

/** The code in a mail. */
export const codeOf = (mail: Mail): string =>
  /(?<![\w=-])\d{6,10}(?![\w-])/.exec(textOf(mail).replace(/https?:\S+/g, ''))?.[0] ?? ''

/** The link in a mail. */
export const linkOf = (mail: Mail): URL => {
  const found = /https?:\/\/[^\s"<>]+\/verify\?[^\s"<>]+/.exec(textOf(mail))?.[0] ?? ''
  return new URL(found.replaceAll('&amp;', '&'))
}

export interface AuthFixtureOptions {
  readonly settings?: (defaults: AuthSettings) => AuthSettings
  readonly keys?: Partial<KeyRingOptions>
  /** A second node on the database of a first one. */
  readonly node?: AuthFixture
  readonly wechat?: boolean
  /** Instead of the client of the sandbox. */
  readonly client?: WechatClient
  /** Everything that the log would hold, as text. */
  readonly logTo?: (line: string) => void
  readonly trustProxy?: string[]
}

export interface Answer {
  readonly status: number
  // Bodies are looked into freely by tests.
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects of a body is what it checks.
  readonly body: any
  readonly headers: Headers
}

export interface AuthFixture {
  readonly db: TestDatabase
  readonly auth: Auth
  readonly identity: Identity
  readonly keys: AppKeys
  readonly clock: TestClock
  readonly mailbox: Mailbox
  readonly texts: readonly SmsMessage[]
  readonly sandbox: Sandbox | null
  readonly app: FastifyInstance
  readonly url: string
  /** Asks `/auth/v1` with the anon key, and perhaps a token. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>
  admin(method: string, path: string, body?: object): Promise<Answer>
  close(): Promise<void>
}

export interface AskOptions {
  readonly body?: object | string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Without the header of the current API version. */
  readonly old?: boolean
}

const SECRET = 'the secret of the tests, of more than thirty-two bytes'

const logFor = (options: AuthFixtureOptions): RootLog => {
  if (options.logTo === undefined) return createLog({ level: 'fatal', stream: process.stderr })
  const stream = { isTTY: false, write: (line: string) => options.logTo?.(line) }
  return createLog({ level: 'debug', stream: stream as unknown as NodeJS.WriteStream })
}

export const startAuth = async (options: AuthFixtureOptions = {}): Promise<AuthFixture> => {
  const first = options.node
  const db = first?.db ?? (await createTestDatabase())
  const mailbox = first?.mailbox ?? (await startMailbox())
  const clock = first?.clock ?? testClock()
  const sandbox = first?.sandbox ?? (options.wechat ? await startWechat(clock) : null)
  const texts: SmsMessage[] = []
  const sms: SmsSender = { send: async (message) => `sms-${texts.push(message)}` }
  const log = logFor(options)
  const keys = await deriveKeys(options.keys?.jwtSecret ?? SECRET)
  const ring = await KeyRing.create({ jwtSecret: keys.jwtSecret, ...options.keys })
  let url = ''
  const auth = createAuth({
    db: db.owner,
    clock,
    ids: randomIds,
    log,
    settings: (options.settings ?? ((each) => each))(DEFAULT_AUTH),
    ring,
    sms,
    mailer: createSmtpMailer({ url: `${mailbox.url}?ignoreTLS=true`, from: 'teahouse@example.com' }),
    wechat:
      options.client ??
      (sandbox === null
        ? null
        : createWechatClient({ appid: APPID, secret: APP_SECRET, apiBase: sandbox.url, db: db.owner, clock })),
    externalUrl: () => url,
  })
  const identity = createIdentity(
    keys,
    new TokenVerifier({
      jwtSecret: keys.jwtSecret,
      clock,
      ring,
      revokedBy: (claims) => auth.context.revocations.revokedBy(claims),
    }),
  )
  const loggerInstance: FastifyBaseLogger = log
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: options.trustProxy ?? false,
  })
  await app.register(authDialect({ auth, identityFor: () => identity, version: 'test' }), { prefix: '/auth/v1' })
  await auth.start()
  url = await app.listen({ port: 0, host: '127.0.0.1' })
  const ask = asking(() => url, keys.anonKey)
  return {
    db,
    auth,
    identity,
    keys,
    clock,
    mailbox,
    texts,
    sandbox,
    app,
    url,
    ask,
    admin: (method, path, body) =>
      ask(method, path, {
        ...(body === undefined ? {} : { body }),
        headers: { apikey: keys.serviceKey },
        token: keys.serviceKey,
      }),
    close: async () => {
      await app.close()
      await auth.stop()
      if (first !== undefined) return
      await mailbox.close()
      await sandbox?.stop()
      await db.drop()
    },
  }
}

const startWechat = (clock: Clock): Promise<Sandbox> =>
  startSandbox({
    clock,
    // WeChat allows a hundred logins of one person a minute; tests of races make more.
    limits: { loginsPerUserMinute: 1_000 },
    apps: [
      { appid: APPID, secret: APP_SECRET, openPlatform: 'platform' },
      { appid: WEBSITE, secret: APP_SECRET, kind: 'website', openPlatform: 'platform' },
    ],
  })

export const WECHAT_SECRET = APP_SECRET

const asking =
  (url: () => string, apikey: string) =>
  async (method: string, path: string, options: AskOptions = {}): Promise<Answer> => {
    const { body } = options
    const response = await fetch(path.startsWith('http') ? path : `${url()}/auth/v1${path}`, {
      method,
      redirect: 'manual',
      headers: {
        apikey,
        authorization: `Bearer ${options.token ?? apikey}`,
        ...(options.old ? {} : { 'x-supabase-api-version': '2024-01-01' }),
        ...(body === undefined ? {} : { 'content-type': 'application/json;charset=UTF-8' }),
        ...options.headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const type = response.headers.get('content-type') ?? ''
    return { status: response.status, headers: response.headers, body: type.includes('json') ? JSON.parse(text) : text }
  }

/** A session as tests use it. */
export const signUp = async (
  fixture: AuthFixture,
  email: string,
  password = 'correct horse',
): Promise<Answer['body']> => {
  const { status, body } = await fixture.ask('POST', '/signup', { body: { email, password } })
  if (status !== 200) throw new Error(`sign-up failed: ${JSON.stringify(body)}`)
  return body
}
