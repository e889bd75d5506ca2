/** Role and settings of a request's transaction: claims, request facts, role settings, hoisted function settings. */
import type { Catalog } from '../../../db/catalog/catalog.ts'
import { type Isolation, type Scope, searchPathOf } from '../../../db/scope.ts'
import type { Caller } from '../../../identity/caller.ts'
import type { Action } from './action.ts'
import type { RestConfig } from './config.ts'
import type { RestRequest } from './request.ts'

interface ScopeContext {
  readonly config: RestConfig
  readonly catalog: Catalog
}

type Setting = readonly [name: string, value: string]

export const scopeOf = (
  rest: RestRequest,
  caller: Caller,
  action: Action,
  { config, catalog }: ScopeContext,
): Scope => {
  const scope = callerScope(caller, rest, config)
  return {
    ...scope,
    readOnly: action.readOnly,
    settings: [
      ...(scope.settings ?? []),
      ...(config.statementTimeout === null ? [] : [['statement_timeout', config.statementTimeout] as const]),
      ...roleSettings(caller, catalog),
      ...functionSettings(action, config),
      ...(rest.preferences.timezone === null ? [] : [['timezone', rest.preferences.timezone] as const]),
    ],
  }
}

/** Who asks, and what the request looks like to SQL. */
export const callerScope = (caller: Caller, rest: RestRequest, config: RestConfig): Scope => ({
  role: caller.role,
  claims: caller.claimsText,
  searchPath: searchPathFor(rest.schema, config),
  settings: [
    ['request.method', rest.method],
    ['request.path', rest.path],
    ['request.headers', JSON.stringify(rest.headers)],
    ['request.cookies', rest.headers.cookie === undefined ? '{}' : JSON.stringify(cookiesOf(rest.headers.cookie))],
    ...config.appSettings,
  ],
})

const searchPaths = new WeakMap<RestConfig, Map<string, string>>()

/** Quoted once for each exposed schema. */
const searchPathFor = (schema: string, config: RestConfig): string => {
  const known = searchPaths.get(config)?.get(schema)
  if (known !== undefined) return known
  const path = searchPathOf([...new Set([schema, ...config.extraSearchPath])])
  const ofConfig = searchPaths.get(config) ?? new Map<string, string>()
  searchPaths.set(config, ofConfig.set(schema, path))
  return path
}

const ISOLATION = 'default_transaction_isolation'

/** What would have been in force, had the role logged in itself. */
const roleSettings = (caller: Caller, catalog: Catalog): readonly Setting[] => {
  const settings = catalog.roles.get(caller.role)?.settings
  if (settings === undefined || settings.size === 0) return []
  return [...settings].filter(
    ([name]) => !name.startsWith('pgrst.') && name !== ISOLATION && name !== 'search_path' && name !== 'role',
  )
}

const functionSettings = ({ called }: Action, config: RestConfig): readonly Setting[] =>
  [...(called?.settings ?? [])].filter(([name]) => config.hoistedSettings.has(name.toLowerCase()) && name !== ISOLATION)

const LEVELS: Readonly<Record<string, Isolation>> = {
  'read committed': 'read committed',
  'read uncommitted': 'read committed',
  'repeatable read': 'repeatable read',
  serializable: 'serializable',
}

/** The level that the function or the role asks for; null for the usual one, which needs no transaction of our own. */
export const isolationOf = (caller: Caller, { called }: Action, catalog: Catalog): Isolation | null => {
  const wanted = called?.settings.get(ISOLATION) ?? catalog.roles.get(caller.role)?.settings.get(ISOLATION)
  const level = LEVELS[wanted?.toLowerCase() ?? ''] ?? null
  return level === 'read committed' ? null : level
}

const MAX_COOKIES = 100

const cookiesOf = (header: string | undefined): Readonly<Record<string, string>> => {
  const cookies: Record<string, string> = Object.create(null)
  for (const part of (header ?? '').split(';', MAX_COOKIES)) {
    const at = part.indexOf('=')
    if (at > 0) cookies[part.slice(0, at).trim()] = part.slice(at + 1).trim()
  }
  return cookies
}
