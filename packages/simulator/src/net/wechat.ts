/** The account hooks of a phone whose WeChat is a sandbox: its codes are issued there, so that a server can exchange them. */
import { INVALID_SESSION } from '../wx/account.ts'
import type { Hooks } from '../wx/host.ts'
import { hooksOver, type SandboxAnswer, type SandboxAsk } from '../wx/wechat.ts'

export interface SandboxPhone {
  /** The sandbox's address. */
  readonly url: string
  /** The mini-program; by default the sandbox's first. */
  readonly appId?: string
  /** Whose phone it is. */
  readonly user: string
}

const PATIENCE = 10_000

/** Asks the sandbox. A sandbox that is away or refuses is an answer too, in the words that the app will read. */
export async function askSandbox(sandbox: Omit<SandboxPhone, 'user'>, asked: SandboxAsk): Promise<SandboxAnswer> {
  const { user } = asked
  const appid = sandbox.appId === undefined ? {} : { appid: sandbox.appId }
  const [path, body] = requestOf(asked)
  try {
    const response = await fetch(new URL(path, sandbox.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user, ...body, ...appid }),
      signal: AbortSignal.timeout(PATIENCE),
    })
    const text = await response.text()
    if (!response.ok) return { error: `WeChat sandbox answered ${response.status}: ${text.slice(0, 200)}` }
    // The control API answers JSON objects; what is missing in one shows below.
    const { code, valid } = JSON.parse(text) as { code?: unknown; valid?: unknown }
    if (valid === false) return { error: INVALID_SESSION }
    return { code: typeof code === 'string' ? code : '' }
  } catch (error) {
    return { error: `WeChat sandbox cannot be reached: ${error instanceof Error ? error.message : String(error)}` }
  }
}

const requestOf = (asked: SandboxAsk): readonly [path: string, body: object] => {
  switch (asked.ask) {
    case 'subscribe':
      return ['/sandbox/permissions', { template: asked.template, answer: 'accept' }]
    case 'session':
      return ['/sandbox/sessions/check', {}]
    default:
      return ['/sandbox/codes', { pool: asked.ask }]
  }
}

/** The hooks of a realm, which asks the sandbox itself. */
export const sandboxHooks = (phone: SandboxPhone): Hooks => hooksOver((asked) => askSandbox(phone, asked), phone.user)
