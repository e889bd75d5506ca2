/** Account hooks of the page's phone: its simulator asks the WeChat sandbox for it. */
import type { Hooks } from '../wx/host.ts'
import { hooksOver, type SandboxAnswer } from '../wx/wechat.ts'

/** The hooks of this user's phone. */
export function wechatHooks(token: string, user: string): Hooks {
  return hooksOver(async (asked) => {
    try {
      const response = await fetch('/__sim/wechat', {
        method: 'POST',
        headers: { 'x-sim-token': token },
        body: JSON.stringify(asked),
      })
      // Our own simulator answers; it was written to send this shape.
      return (await response.json()) as SandboxAnswer
    } catch {
      return { error: 'the simulator cannot be reached' }
    }
  }, user)
}
