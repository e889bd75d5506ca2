/** The account hooks of a phone whose WeChat is a sandbox, over any way of asking that sandbox. */
import type { Hooks } from './host.ts'

/** What a page asks its simulator, which asks the sandbox. */
export type SandboxAsk =
  | { readonly ask: 'login' | 'phone' | 'session'; readonly user: string }
  | { readonly ask: 'subscribe'; readonly user: string; readonly template: string }

export type SandboxAnswer = { readonly code: string } | { readonly error: string }

/** Hooks over any way of asking. A person accepts every template that an app asks for. */
export function hooksOver(ask: (asked: SandboxAsk) => Promise<SandboxAnswer>, user: string): Hooks {
  return {
    login: (done) => void ask({ ask: 'login', user }).then(done),
    phoneNumber: (done) => void ask({ ask: 'phone', user }).then(done),
    // The platform knows, also of logins before this start; it says no more than yes or no.
    checkSession: (_loggedIn, done) =>
      void ask({ ask: 'session', user }).then((answer) => done('error' in answer ? answer : {})),
    subscribeMessage: (templates, done) => {
      const answers = templates.map(async (template) => {
        const answer = await ask({ ask: 'subscribe', user, template })
        return [template, 'error' in answer ? 'reject' : 'accept'] as const
      })
      void Promise.all(answers).then((all) => done(Object.fromEntries(all)))
    },
  }
}
