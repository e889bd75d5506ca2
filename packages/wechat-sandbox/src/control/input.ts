/** Reads what the control API is sent into types that cannot be wrong; refuses with the name of the member. */
import { isObject, type Json, type JsonObject, textOf, textsOf } from '../kernel/json.ts'
import type { AppSettings, PushSettings } from '../settings.ts'
import { FAULT_KINDS, type FaultInput } from '../state/faults.ts'
import type { Suggest, Word } from '../state/moderation.ts'
import { isName, type PersonChanges } from '../state/people.ts'
import { ControlError } from './error.ts'

const wrong = (member: string, wanted: string): never => {
  throw new ControlError(400, `${member} should be ${wanted}`)
}

export const nameOf = (text: string): string =>
  isName(text) ? text : wrong('user', 'a name of 1 to 64 letters, digits, ".", "_", "-" or "@"')

/** A member that must be one of some words. */
export const choiceOf = <Word extends string>(body: JsonObject, member: string, words: readonly Word[]): Word =>
  words.find((word) => word === body[member]) ?? wrong(member, `one of ${words.join(', ')}`)

export const requiredText = (body: JsonObject, member: string): string =>
  textOf(body, member) || wrong(member, 'a text')

/** A whole number that may be missing. */
export const optionalNumber = (body: JsonObject, member: string): number | undefined => {
  const value = body[member]
  if (value === undefined) return undefined
  return typeof value === 'number' && Number.isInteger(value) ? value : wrong(member, 'a whole number')
}

/** Keeps the members that are there and of the wanted type. */
const only = (body: JsonObject, kinds: Readonly<Record<string, 'string' | 'boolean'>>): JsonObject =>
  Object.fromEntries(
    Object.entries(kinds).flatMap(([member, kind]): (readonly [string, Json])[] => {
      const value = body[member]
      if (value === undefined) return []
      return typeof value === kind && value !== null ? [[member, value]] : wrong(member, `a ${kind}`)
    }),
  )

export const personChanges = (body: JsonObject): PersonChanges =>
  only(body, { phone: 'string', countryCode: 'string', nickname: 'string', avatarUrl: 'string', blocked: 'boolean' })

export const faultInput = (body: JsonObject): FaultInput => {
  const numbers = Object.fromEntries(
    ['errcode', 'status', 'delay'].flatMap((member) => {
      const value = optionalNumber(body, member)
      return value === undefined ? [] : [[member, value] as const]
    }),
  )
  const times = body.times === null ? null : (optionalNumber(body, 'times') ?? 1)
  return { kind: choiceOf(body, 'kind', FAULT_KINDS), path: textOf(body, 'path') || '*', times, ...numbers }
}

const SUGGESTIONS: readonly Suggest[] = ['pass', 'review', 'risky']

export const wordOf = (body: JsonObject): Word => ({
  word: requiredText(body, 'word'),
  suggest: choiceOf(body, 'suggest', SUGGESTIONS),
  label: optionalNumber(body, 'label') ?? 21000,
})

const pushOf = (value: Json): PushSettings | null => {
  if (value === null) return null
  if (!isObject(value)) return wrong('push', 'an object or null')
  const url = requiredText(value, 'url')
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return wrong('push.url', 'an http address')
  const mode = value.mode === undefined ? 'plain' : choiceOf(value, 'mode', ['plain', 'compatible', 'safe'] as const)
  const encodingAesKey = textOf(value, 'encodingAesKey')
  if (mode !== 'plain' && !/^[A-Za-z0-9]{43}$/.test(encodingAesKey))
    return wrong('push.encodingAesKey', '43 characters')
  const format = value.format === undefined ? 'json' : choiceOf(value, 'format', ['json', 'xml'] as const)
  return { url, token: requiredText(value, 'token'), encodingAesKey, mode, format }
}

const LISTS = ['ipWhitelist', 'pages', 'templates', 'redirectHosts'] as const

/** Changes of an app. Its secret cannot be read or set here. */
export const appChanges = (body: JsonObject): Partial<Omit<AppSettings, 'appid' | 'secret'>> => {
  const lists = LISTS.flatMap((member) => {
    const value = body[member]
    if (value === undefined) return []
    return [[member, value === null ? null : (textsOf(body, member) ?? wrong(member, 'a list of texts'))] as const]
  })
  const push = body.push
  const openPlatform = body.openPlatform === null ? { openPlatform: null } : only(body, { openPlatform: 'string' })
  return {
    ...Object.fromEntries(lists),
    ...openPlatform,
    ...only(body, { individual: 'boolean' }),
    ...(push === undefined ? {} : { push: pushOf(push) }),
  }
}
