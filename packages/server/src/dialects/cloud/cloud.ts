/** CloudBase's surfaces, one over the other: the same documents, functions and files, in the words of each generation of its SDKs. */
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { DialectErrors } from '../../http/server.ts'
import { type AdminOptions, adminSurface, sendAdminError } from './admin/admin.ts'
import { sendXmlError, uploadSurface } from './upload.ts'

/** Mount without a prefix. */
export const cloudDialect =
  (options: AdminOptions): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    await app.register(adminSurface(options))
    await app.register(uploadSurface(options.services), { prefix: '/cloud/upload' })
  }

export const cloudErrors: readonly DialectErrors[] = [
  { prefix: '/admin', send: sendAdminError },
  { prefix: '/cloud/upload', send: sendXmlError },
]
