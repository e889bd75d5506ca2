/** Subscribe messages: who allowed which template how often, and what arrived. */
import type { JsonObject } from '../kernel/json.ts'

export interface Delivered {
  readonly msgid: number
  readonly at: number
  readonly appid: string
  readonly openid: string
  /** The person's name. */
  readonly user: string
  readonly template_id: string
  readonly page: string
  readonly data: JsonObject
  readonly miniprogram_state: string
  readonly lang: string
}

export interface Permission {
  readonly appid: string
  readonly openid: string
  readonly template: string
}

const keyOf = ({ appid, openid, template }: Permission): string => `${appid} ${openid} ${template}`

const MOST = 1_000

export class Mailbox {
  readonly #allowed = new Map<string, number>()
  readonly #banned = new Set<string>()
  #delivered: Delivered[] = []

  /** The person answered a subscription request: each acceptance allows one message more. */
  answer(permission: Permission, answer: 'accept' | 'reject' | 'ban', times = 1): number {
    const key = keyOf(permission)
    if (answer === 'ban') this.#banned.add(key)
    else this.#banned.delete(key)
    const left = answer === 'accept' ? (this.#allowed.get(key) ?? 0) + times : (this.#allowed.get(key) ?? 0)
    this.#allowed.set(key, left)
    return left
  }

  /** Uses one permission up. */
  take(permission: Permission): 'ok' | 'none' | 'banned' {
    const key = keyOf(permission)
    if (this.#banned.has(key)) return 'banned'
    const left = this.#allowed.get(key) ?? 0
    if (left <= 0) return 'none'
    this.#allowed.set(key, left - 1)
    return 'ok'
  }

  deliver(message: Delivered): void {
    this.#delivered.push(message)
    if (this.#delivered.length > MOST) this.#delivered = this.#delivered.slice(-MOST)
  }

  delivered(): readonly Delivered[] {
    return this.#delivered
  }

  clear(): void {
    this.#allowed.clear()
    this.#banned.clear()
    this.#delivered = []
  }
}
