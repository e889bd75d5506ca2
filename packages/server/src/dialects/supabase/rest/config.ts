/** PostgREST's in-database configuration: `alter role authenticator set pgrst.… = …`, in the database or for the role. */
import type { Catalog } from '../../../db/catalog/catalog.ts'
import type { TokenSettings } from '../../../identity/configured-tokens.ts'

export interface RestConfig {
  readonly schemas: readonly string[]
  readonly extraSearchPath: readonly string[]
  readonly anonRole: string
  readonly preRequest: { readonly schema: string; readonly name: string } | null
  readonly maxRows: number | null
  readonly aggregates: boolean
  readonly plans: boolean
  readonly txEnd: TxEnd
  readonly openApi: 'follow-privileges' | 'ignore-privileges' | 'disabled'
  readonly openApiServer: string | null
  readonly openApiSecurity: boolean
  readonly rootFunction: string | null
  readonly serverTiming: boolean
  /** Updates and deletes of whole tables are refused, as Supabase's servers do. */
  readonly safeUpdate: boolean
  /** How long a statement may take where neither the caller's role nor the authenticator says so; null for no limit. */
  readonly statementTimeout: string | null
  /** Settings that are set on every request: `app.settings.*`. */
  readonly appSettings: readonly (readonly [string, string])[]
  /** Settings of functions that hold for the whole transaction. */
  readonly hoistedSettings: ReadonlySet<string>
}

export type TxEnd = 'commit' | 'commit-allow-override' | 'rollback' | 'rollback-allow-override'

const TX_ENDS: readonly string[] = ['commit', 'commit-allow-override', 'rollback', 'rollback-allow-override']

/** What holds where the database says nothing. A client's `tx=rollback` is honoured: committing what it asked to undo would be a silent wrong answer. */
export const DEFAULT_CONFIG: RestConfig = {
  schemas: ['public'],
  extraSearchPath: ['public'],
  anonRole: 'anon',
  preRequest: null,
  maxRows: null,
  aggregates: false,
  plans: false,
  txEnd: 'commit-allow-override',
  openApi: 'follow-privileges',
  openApiServer: null,
  openApiSecurity: false,
  rootFunction: null,
  serverTiming: false,
  safeUpdate: true,
  statementTimeout: '8s',
  appSettings: [],
  hoistedSettings: new Set(['statement_timeout', 'plan_filter.statement_cost_limit', 'default_transaction_isolation']),
}

/** The configuration of `role` over `base`. Settings that cannot be read are ignored, as PostgREST does. */
export const readConfig = (catalog: Catalog, role: string, base: RestConfig = DEFAULT_CONFIG): RestConfig => {
  const settings = catalog.roles.get(role)?.settings ?? new Map<string, string>()
  const get = (name: string): string | undefined => settings.get(`pgrst.${name}`)
  const flag = (name: string, otherwise: boolean): boolean => {
    const value = get(name)
    return value === undefined ? otherwise : isTrue(value)
  }
  const list = (name: string, otherwise: readonly string[]): readonly string[] => {
    const value = get(name)
    return value === undefined ? otherwise : splitNames(value)
  }
  const schemas = list('db_schemas', base.schemas)
  return {
    schemas: schemas.length === 0 ? base.schemas : schemas,
    extraSearchPath: list('db_extra_search_path', base.extraSearchPath),
    anonRole: get('db_anon_role') ?? base.anonRole,
    preRequest: parsePreRequest(get('db_pre_request')) ?? base.preRequest,
    maxRows: parseCount(get('db_max_rows')) ?? base.maxRows,
    aggregates: flag('db_aggregates_enabled', base.aggregates),
    plans: flag('db_plan_enabled', base.plans),
    txEnd: parseTxEnd(get('db_tx_end')) ?? base.txEnd,
    openApi: parseOpenApi(get('openapi_mode')) ?? base.openApi,
    openApiServer: get('openapi_server_proxy_uri') ?? base.openApiServer,
    openApiSecurity: flag('openapi_security_active', base.openApiSecurity),
    rootFunction: get('db_root_spec') ?? base.rootFunction,
    serverTiming: flag('server_timing_enabled', base.serverTiming),
    safeUpdate: flag('db_safe_update', base.safeUpdate),
    // A login role's own setting is in force from its login on.
    statementTimeout: settings.has('statement_timeout') ? null : base.statementTimeout,
    appSettings: [...base.appSettings, ...appSettings(settings)],
    hoistedSettings: new Set(list('db_hoisted_tx_settings', [...base.hoistedSettings])),
  }
}

/** Whose tokens the API trusts besides our own. Null where the database says nothing of it. */
export const readTokenSettings = (catalog: Catalog, role: string): TokenSettings | null => {
  const settings = catalog.roles.get(role)?.settings ?? new Map<string, string>()
  const get = (name: string): string | null => settings.get(`pgrst.${name}`) ?? null
  const [secret, audience, roleClaim] = [get('jwt_secret'), get('jwt_aud'), get('jwt_role_claim_key')]
  if (secret === null && audience === null && roleClaim === null) return null
  const anonRole = get('db_anon_role') ?? DEFAULT_CONFIG.anonRole
  return { secret, secretIsBase64: isTrue(get('jwt_secret_is_base64') ?? ''), audience, roleClaim, anonRole }
}

const isTrue = (text: string): boolean => ['true', 'on', '1', 'yes', 't'].includes(text.toLowerCase())

const splitNames = (text: string): readonly string[] =>
  text
    .split(',')
    .map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
    .filter((name) => name !== '')

const parsePreRequest = (text: string | undefined): RestConfig['preRequest'] => {
  if (text === undefined || text.trim() === '') return null
  const [first = '', ...rest] = text.split('.').map((part) => part.trim().replace(/^"(.*)"$/, '$1'))
  return rest.length === 0 ? { schema: 'public', name: first } : { schema: first, name: rest.join('.') }
}

const parseCount = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,15}$/.test(text.trim()) ? Number(text) : null

const parseTxEnd = (text: string | undefined): TxEnd | null =>
  // The list holds exactly the members of the type.
  text !== undefined && TX_ENDS.includes(text) ? (text as TxEnd) : null

const parseOpenApi = (text: string | undefined): RestConfig['openApi'] | null =>
  text === 'follow-privileges' || text === 'ignore-privileges' || text === 'disabled' ? text : null

const APP_PREFIX = 'pgrst.app_settings_'

const appSettings = (settings: ReadonlyMap<string, string>): readonly (readonly [string, string])[] =>
  [...settings].flatMap(([name, value]) =>
    name.startsWith(APP_PREFIX) ? [[`app.settings.${name.slice(APP_PREFIX.length)}`, value] as const] : [],
  )
