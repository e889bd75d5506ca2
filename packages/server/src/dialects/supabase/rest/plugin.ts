/** PostgREST's API as a Fastify plugin: parse, ask the data layer, render. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { compileRequest } from '../../../data/compile.ts'
import { DataError } from '../../../data/errors.ts'
import { type Execution, execute, explain, type Outcome } from '../../../data/execute.ts'
import { OnceRunner } from '../../../data/once.ts'
import { usableObjects } from '../../../data/privileges.ts'
import type { DataContext } from '../../../data/source.ts'
import type { Catalog } from '../../../db/catalog/catalog.ts'
import type { CatalogService } from '../../../db/catalog/service.ts'
import { databaseError, type Pool } from '../../../db/pool.ts'
import type { Scope } from '../../../db/scope.ts'
import type {} from '../../../http/caller.ts'
import type { Caller } from '../../../identity/caller.ts'
import { ANONYMOUS, keyCaller } from '../../../identity/identity.ts'
import { type Action, planAction } from './action.ts'
import { DEFAULT_CONFIG, type RestConfig, readConfig } from './config.ts'
import { type ErrorAnswer, RestError, toAnswer } from './errors.ts'
import { notAcceptable } from './media.ts'
import { answerOnce } from './once.ts'
import { openApi } from './openapi.ts'
import { describeMethods } from './options.ts'
import type { Preferences } from './prefer.ts'
import { type Prepared, PreparedReads, preparedKey } from './prepared.ts'
import { plainHeaders, type RestRequest, readRequest } from './request.ts'
import { type HttpAnswer, respond } from './respond.ts'
import { callerScope, isolationOf, scopeOf } from './scope.ts'
import { Timing } from './timing.ts'
import { challenge, EMPTY_TOKEN } from './token-problems.ts'

/** What the dialect needs of the app. */
export interface RestServices {
  /** Logs in as the authenticator. */
  readonly pool: Pool
  readonly catalog: Pick<CatalogService, 'current' | 'settle' | 'timeZones'>
  /** What holds where the database's own configuration is silent. */
  readonly config?: Partial<RestConfig>
  /** The role whose settings configure the API; `authenticator` by default. */
  readonly authenticator?: string
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const

/** Mount with a prefix, for example `/rest/v1`. `request.caller` must have been set by then. */
export const restDialect =
  (services: RestServices): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    const api = new RestApi(services)
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    app.setErrorHandler((error, request, reply) => sendError(error, request, reply, api.anonRole))
    const handle = async (request: FastifyRequest, reply: FastifyReply) => {
      const answer = await api.answer(request, app.prefix)
      return send(answer, reply)
    }
    app.route({ method: [...METHODS], url: '/', handler: handle })
    app.route({ method: [...METHODS], url: '/*', handler: handle })
  }

/** `db-anon-role`: who asks when nobody said; without such a role everybody has to. A login without its token is a mistake that its owner should hear of. */
const anonymous = (request: FastifyRequest, { anonRole }: RestConfig): Caller => {
  if (/^bearer\s*$/i.test(request.headers.authorization ?? '')) throw emptyToken()
  if (anonRole === ANONYMOUS.role) return ANONYMOUS
  if (anonRole !== '') return keyCaller(anonRole)
  const body = { code: 'PGRST302', message: 'Anonymous access is disabled' }
  throw new RestError(401, body, [['WWW-Authenticate', 'Bearer']])
}

const emptyToken = (): RestError => new RestError(401, EMPTY_TOKEN, [['WWW-Authenticate', challenge(EMPTY_TOKEN)]])

/** An error that happened on the way to this dialect's routes, in its own words. */
export const sendRestError = (error: Error, request: FastifyRequest, reply: FastifyReply): unknown =>
  sendError(error, request, reply, DEFAULT_CONFIG.anonRole)

const sendError = (error: unknown, request: FastifyRequest, reply: FastifyReply, anonRole: string): unknown => {
  // Unset when the refusal came before anyone was recognised.
  const caller = request.caller as Caller | undefined
  const answer = toAnswer(error, caller === undefined || caller.role === anonRole)
  if (answer.status >= 500) request.log.error({ error }, 'request failed')
  return send(errorAnswer(answer), reply)
}

const errorAnswer = ({ status, body, headers }: ErrorAnswer): HttpAnswer => ({
  status,
  headers: [...headers, ['Content-Type', 'application/json; charset=utf-8']],
  body: JSON.stringify(body),
})

const send = ({ status, headers, body }: HttpAnswer, reply: FastifyReply): FastifyReply => {
  reply.code(status)
  for (const [name, value] of headers) reply.header(name, value)
  return body === null ? reply.send() : reply.send(body)
}

class RestApi {
  readonly #services: RestServices
  readonly #prepared = new PreparedReads()
  readonly #once: OnceRunner
  #configured: { readonly catalog: Catalog; readonly config: RestConfig } | null = null

  constructor(services: RestServices) {
    this.#services = services
    this.#once = new OnceRunner(services.pool)
  }

  /** Known also while the schema is not. */
  get anonRole(): string {
    return this.#configured?.config.anonRole ?? this.#services.config?.anonRole ?? DEFAULT_CONFIG.anonRole
  }

  get config(): RestConfig {
    const catalog = this.#services.catalog.current
    if (this.#configured?.catalog !== catalog) {
      const base = { ...DEFAULT_CONFIG, ...this.#services.config }
      this.#configured = { catalog, config: readConfig(catalog, this.#services.authenticator ?? 'authenticator', base) }
    }
    return this.#configured.config
  }

  async answer(request: FastifyRequest, prefix: string): Promise<HttpAnswer> {
    const { catalog } = this.#services
    const seen = catalog.current
    if (request.caller === ANONYMOUS) request.caller = anonymous(request, this.config)
    try {
      return await this.#attempt(request, prefix)
    } catch (error) {
      // What was not found may have been created a moment ago.
      if (!isMiss(error) || (await catalog.settle()) === seen) throw error
      return this.#attempt(request, prefix)
    }
  }

  async #attempt(request: FastifyRequest, prefix: string): Promise<HttpAnswer> {
    const { config } = this
    const { catalog, pool } = this.#services
    const timing = new Timing(config.serverTiming)
    const key = preparedKey(request.method, request.raw.url ?? '', request.headers)
    const known = this.#prepared.find(key, catalog.current, config)
    const rest =
      known === undefined
        ? withRootFunction(await readRequest(request, prefix, config, () => catalog.timeZones()), config)
        : { ...known.rest, headers: plainHeaders(request) }
    timing.mark('parse')
    if (rest.method === 'OPTIONS') return timing.whole(describeMethods(rest, catalog.current))
    if (rest.resource.kind === 'root') return timing.whole(await this.#describe(request, prefix, rest))
    const prepared = known ?? this.#prepare(rest, key)
    const { action, honoured, compiled } = prepared
    timing.mark('plan')
    const scope: Scope = scopeOf(rest, request.caller, action, { config, catalog: catalog.current })
    const execution = executionOf(request.caller, action, honoured, { config, catalog: catalog.current })
    const { plan } = action.representation
    if (plan !== null) {
      const body = await explain(pool, scope, compiled.main, { ...execution, ...plan })
      return { status: 200, headers: [['Content-Type', action.representation.contentType]], body }
    }
    const options = { ...action.output, ...execution }
    // Of writes that are kept: whatever is undone may come again.
    if (request.headers['idempotency-key'] !== undefined && !action.readOnly && !execution.rollback) {
      const render = (outcome: Outcome) => respond(rest, action, outcome, honoured)
      return answerOnce(this.#once, request, rest.body, { scope, compiled, options, render })
    }
    const outcome = await execute(pool, scope, compiled, options)
    timing.mark('transaction')
    const answer = respond(rest, action, outcome, honoured)
    timing.mark('response')
    return timing.on(answer)
  }

  #prepare(rest: RestRequest, key: string | null): Prepared {
    const { config } = this
    const context = contextOf(this.#services.catalog.current, rest.schema, config)
    const action = planAction(rest, config, context)
    const honoured = honouredPreferences(rest, action, config)
    const prepared = { rest, action, honoured, compiled: compileRequest(action.request, action.output, context) }
    this.#prepared.remember(key, prepared)
    return prepared
  }

  /** The description of the whole API. */
  async #describe(request: FastifyRequest, prefix: string, rest: RestRequest): Promise<HttpAnswer> {
    const { config } = this
    const { catalog, pool } = this.#services
    const contentType = refuseRoot(rest, config)
    const scope = { ...callerScope(request.caller, rest, config), readOnly: true }
    const usable = config.openApi === 'follow-privileges' ? await usableObjects(pool, scope, rest.schema) : null
    const document = openApi({
      catalog: catalog.current,
      schema: rest.schema,
      config,
      usable,
      host: request.host,
      basePath: prefix === '' ? '/' : prefix,
      secure: request.protocol === 'https',
    })
    const headers: [string, string][] = [['Content-Type', contentType]]
    if (rest.negotiatedProfile) headers.push(['Content-Profile', rest.schema])
    return { status: 200, headers, body: rest.method === 'HEAD' ? null : JSON.stringify(document) }
  }
}

const ROOT_TYPES = new Set(['*/*', 'application/*', 'application/json', 'application/openapi+json'])

/** The content type of the description, or a refusal. */
const refuseRoot = (rest: RestRequest, config: RestConfig): string => {
  if (rest.method !== 'GET' && rest.method !== 'HEAD') {
    throw new RestError(405, { code: 'PGRST117', message: `Unsupported HTTP method: ${rest.method}` })
  }
  if (config.openApi === 'disabled') {
    throw new RestError(404, { code: 'PGRST126', message: 'Root endpoint metadata is disabled' })
  }
  const type = rest.accepted.find(({ name }) => ROOT_TYPES.has(name))
  if (type === undefined) throw notAcceptable(rest.accepted)
  return type.name === 'application/json'
    ? 'application/json; charset=utf-8'
    : 'application/openapi+json; charset=utf-8'
}

/** `db-root-spec`: a function that answers in place of the description. */
const withRootFunction = (rest: RestRequest, { rootFunction }: RestConfig): RestRequest =>
  rest.resource.kind === 'root' && rootFunction !== null && rest.method !== 'OPTIONS'
    ? { ...rest, resource: { kind: 'function', name: rootFunction.slice(rootFunction.lastIndexOf('.') + 1) } }
    : rest

const MISSES = new Set([
  'relation_unknown',
  'relationship_unknown',
  'column_unknown',
  'payload_column_unknown',
  'function_unknown',
])

// Undefined column, table, function: what we know of the schema may be older than the schema.
const STALE_CODES = new Set(['42703', '42P01', '42883'])

const isMiss = (error: unknown): boolean =>
  error instanceof DataError ? MISSES.has(error.problem.kind) : STALE_CODES.has(databaseError(error)?.code ?? '')

const contextOf = (catalog: Catalog, schema: string, config: RestConfig): DataContext => {
  let aliases = 0
  return {
    catalog,
    schema,
    servedSchemas: config.schemas,
    searchSchemas: [...new Set([schema, ...config.extraSearchPath])],
    maxRows: config.maxRows,
    aggregates: config.aggregates,
    nextAlias: () => {
      aliases += 1
      return aliases
    },
  }
}

const executionOf = (
  caller: Caller,
  action: Action,
  honoured: Partial<Preferences>,
  { config, catalog }: { readonly config: RestConfig; readonly catalog: Catalog },
): Execution => {
  const isolation = isolationOf(caller, action, catalog)
  return {
    before: config.preRequest,
    rollback: endsInRollback(config, honoured),
    ...(isolation === null ? {} : { isolation }),
  }
}

const endsInRollback = (config: RestConfig, { transaction }: Partial<Preferences>): boolean =>
  transaction === 'rollback' || (transaction !== 'commit' && config.txEnd.startsWith('rollback'))

/** What of the client's preferences this kind of request takes into account. */
const honouredPreferences = (
  { preferences }: RestRequest,
  { request }: Action,
  config: RestConfig,
): Partial<Preferences> => {
  const { resolution, returning, count, missing, handling, timezone, maxAffected } = preferences
  const transaction = config.txEnd.endsWith('allow-override') ? preferences.transaction : null
  const always = { count, transaction, handling, timezone }
  switch (request.kind) {
    case 'read':
      return always
    case 'call':
      return { ...always, maxAffected }
    case 'insert':
      return { ...always, returning, missing, resolution: request.conflict === null ? null : resolution }
    case 'replace':
      return { ...always, returning }
    case 'update':
      return { ...always, returning, missing, maxAffected }
    case 'delete':
      return { ...always, returning, maxAffected }
  }
}
