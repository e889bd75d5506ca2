/** Cloud documents and functions, and the surfaces of CloudBase over them. */
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Config } from './config/config.ts'
import { createDocuments, type Documents } from './data/documents/documents.ts'
import type { CatalogService } from './db/catalog/service.ts'
import type { Database } from './db/open.ts'
import { cloudDialect } from './dialects/cloud/cloud.ts'
import { type CredentialIssuer, createCredentialIssuer } from './dialects/cloud/credentials.ts'
import { invocationEnvironment, processEnvironment } from './dialects/cloud/environment.ts'
import { type WatchSurface, watchSurface } from './dialects/cloud/watch/watch.ts'
import type { Files } from './files/files.ts'
import { createUrlSigner, type UrlSigner } from './files/signing.ts'
import { createFunctions, DEFAULT_LIMITS, type Functions } from './functions/functions.ts'
import type { IdentityFor } from './http/caller.ts'
import type { ExternalUrl } from './http/external-url.ts'
import type { Auth } from './identity/auth.ts'
import type { Identity } from './identity/identity.ts'
import type { AppKeys } from './identity/keys.ts'
import type { Service } from './kernel/service.ts'
import type { LiveServices } from './live/open.ts'
import { createDocumentWindows } from './live/windows/document-windows.ts'
import type { World } from './world.ts'

export interface Cloud {
  readonly documents: Documents
  readonly functions: Functions
  readonly issuer: CredentialIssuer
  /** Both, to be started and stopped. */
  readonly service: Service
}

interface CloudParts {
  readonly config: Config
  readonly database: Database
  readonly catalog: CatalogService
  readonly auth: Auth
  /** Signs credentials of functions, and nothing else. */
  readonly secret: string
  /** Where functions reach this server from this machine; known once it listens. */
  readonly localUrl: () => string
}

export const openCloud = ({ config, database, catalog, auth, secret, localUrl }: CloudParts, world: World): Cloud => {
  const { clock, ids, log } = world
  const { owner, requests } = database
  const issuer = createCredentialIssuer(secret, clock)
  const documents = createDocuments({ owner, requests, catalog, clock, ids, schemas: config.api.schemas ?? ['public'] })
  const environment = { issuer, clock, appid: auth.wechat?.appid ?? '' }
  const functions = createFunctions({
    db: owner,
    clock,
    ids,
    log,
    limits: DEFAULT_LIMITS,
    seed: config.dataDir,
    base: () => processEnvironment(localUrl()),
    environment: (invocation, id) => invocationEnvironment(environment, invocation, id),
  })
  const service: Service = {
    start: () => functions.start(),
    async stop() {
      await functions.stop()
      await documents.stop()
    },
  }
  return { documents, functions, issuer, service }
}

interface SurfaceParts {
  readonly cloud: Cloud
  readonly watch: WatchSurface
  readonly files: Files
  readonly signer: UrlSigner
  readonly auth: Auth
  readonly keys: AppKeys
  readonly externalUrl: ExternalUrl
  readonly identityFor: IdentityFor
  readonly noteCaller: (request: FastifyRequest) => void
}

/** As many as CloudBase's own SDKs ask for at most. */
const MAX_DOCUMENTS = 1_000

export const cloudSurfaces = (
  { cloud, files, signer, auth, ...parts }: SurfaceParts,
  { clock }: World,
): FastifyPluginAsync => {
  const { documents, functions, issuer } = cloud
  const services = { documents, functions, files, signer, wechat: auth.wechat }
  return cloudDialect({ ...parts, auth, services, issuer, clock, maxDocuments: MAX_DOCUMENTS })
}

interface WatchParts {
  readonly cloud: Cloud
  readonly live: LiveServices
  readonly catalog: CatalogService
  readonly identity: Identity
  /** Signs permissions for sockets, and nothing else. */
  readonly secret: string
}

export const openWatch = (
  { cloud: { documents }, live, catalog, identity, secret }: WatchParts,
  { clock, ids, log }: World,
): WatchSurface => {
  const windows = createDocumentWindows({ windows: live.windows, documents, catalog })
  return watchSurface({ windows, identity, signer: createUrlSigner({ secret, clock }), clock, ids, log })
}
