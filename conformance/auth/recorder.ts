/** Notes which methods of a client were called, which requests they made, and how both ended. */

export interface Results {
  /** By method, `ok` or the code of the error. Methods that exist and were not called have an empty text. */
  readonly methods: Readonly<Record<string, string>>
  /** `METHOD /path` of requests to accounts, with the best status that each had. */
  readonly requests: Readonly<Record<string, number>>
}

/** Parts of a client that have methods of their own. */
const GROUPS = ['mfa', 'oauth', 'passkey', 'admin', 'customProviders', 'recoveryCodes', 'webauthn']
/** Of the client's own workings, although not marked as private. */
const INTERNAL = new Set([
  'constructor',
  'isThrowOnErrorEnabled',
  'initialize',
  'lockAcquired',
  'dispose',
  'fetch',
  'fetchJwk',
  'logger',
  'linkIdentityIdToken',
  'linkIdentityOAuth',
  'signInWithEthereum',
  'signInWithSolana',
])

/** A part of somebody else's object, whatever its class. */
type Part = Readonly<Record<string, unknown>>

const isPart = (value: unknown): value is Part => typeof value === 'object' && value !== null

/** Names of the methods of an object, its classes' included. */
export const methodNames = (value: object): readonly string[] => {
  const names = new Set<string>()
  for (let at: object | null = value; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at)) names.add(name)
  return [...names].filter(
    (name) => !name.startsWith('_') && !INTERNAL.has(name) && typeof Reflect.get(value, name) === 'function',
  )
}

/** Every method of the parts of a client's `auth`, by its path. */
export const methodsOf = (value: object, prefix = ''): readonly string[] => [
  ...methodNames(value)
    .filter((name) => !GROUPS.includes(name))
    .map((name) => prefix + name),
  ...GROUPS.flatMap((group) => {
    const part: unknown = Reflect.get(value, group)
    return isPart(part) ? methodsOf(part, `${prefix}${group}.`) : []
  }),
]

export class Recorder {
  readonly #methods = new Map<string, string>()
  readonly #requests = new Map<string, number>()

  /** For a client's `global.fetch`, and for what a browser would do. */
  readonly fetch = async (input: URL | RequestInfo, init?: RequestInit): Promise<Response> => {
    const response = await fetch(input, init)
    const url = new URL(input instanceof Request ? input.url : input)
    const [, path] = /^\/auth\/v1(\/.*)$/.exec(url.pathname) ?? []
    if (path !== undefined) {
      const name = `${init?.method ?? 'GET'} ${path}`
      this.#requests.set(name, Math.min(this.#requests.get(name) ?? 599, response.status))
    }
    return response
  }

  /** The same client, whose `auth` is watched. */
  client<T extends { readonly auth: object }>(client: T): T {
    const auth = this.#watched(client.auth, '')
    for (const name of methodsOf(client.auth)) if (!this.#methods.has(name)) this.#methods.set(name, '')
    return new Proxy(client, { get: (target, name) => (name === 'auth' ? auth : Reflect.get(target, name)) })
  }

  results(): Results {
    return { methods: Object.fromEntries(this.#methods), requests: Object.fromEntries(this.#requests) }
  }

  #watched(part: object, prefix: string): object {
    return new Proxy(part, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof name !== 'string') return value
        if (GROUPS.includes(name) && isPart(value)) return this.#watched(value, `${prefix}${name}.`)
        if (typeof value !== 'function' || name.startsWith('_')) return value
        return (...given: unknown[]) => {
          const answer: unknown = Reflect.apply(value, target, given)
          if (answer instanceof Promise) answer.then((each) => this.#note(prefix + name, each)).catch(() => {})
          else this.#note(prefix + name, answer)
          return answer
        }
      },
    })
  }

  #note(method: string, answer: unknown): void {
    const error: unknown = isPart(answer) ? answer.error : null
    const outcome = isPart(error) ? String(error.code ?? error.name) : 'ok'
    if (this.#methods.get(method) !== 'ok') this.#methods.set(method, outcome)
  }
}
