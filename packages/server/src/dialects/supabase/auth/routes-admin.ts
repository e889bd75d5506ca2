/** People as the operator sees them; every route asks for a service key first. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { loadUser } from '../../../identity/accounts.ts'
import { parseEmail, parsePhone } from '../../../identity/addresses.ts'
import { type AdminInput, createPerson, listPeople, removePerson, updatePerson } from '../../../identity/admin.ts'
import { invalid, refuse } from '../../../identity/errors.ts'
import { removeFactor } from '../../../identity/factors.ts'
import { generateLink, invitePerson, LINK_TYPES, type LinkInput } from '../../../identity/links.ts'
import { isUuid } from '../../../identity/principal.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import { bodyOf, flag, object, queryOf, requiredText, text } from './body.ts'
import { type AuthServices, deviceOf, redirectOf, requireAdmin } from './context.ts'
import { renderFactor, renderUser } from './render.ts'

interface UserRoute {
  Params: { id: string }
}
interface FactorRoute {
  Params: { id: string; factorId: string }
}

const DEFAULT_PAGE = 50
const LARGEST_PAGE = 1000

export const adminRoutes =
  (services: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { context, sessions } = services.auth
    app.addHook('onRequest', (request) => requireAdmin(services, request))

    app.get('/admin/users', (request, reply) => listUsers(services, request, reply))
    app.post('/admin/users', async (request) => renderUser(await createPerson(context, inputOf(bodyOf(request)))))
    app.get<UserRoute>('/admin/users/:id', async (request) => renderUser(await loadUser(context.db, idOf(request))))
    app.put<UserRoute>('/admin/users/:id', async (request) =>
      renderUser(await updatePerson(context, sessions, idOf(request), inputOf(bodyOf(request)))),
    )
    app.delete<UserRoute>('/admin/users/:id', async (request) => {
      const soft = flag(bodyOf(request), 'should_soft_delete') ?? false
      await removePerson(context, sessions, idOf(request), { soft })
      return {}
    })

    app.get<UserRoute>('/admin/users/:id/factors', async (request) =>
      (await loadUser(context.db, idOf(request))).factors.map(renderFactor),
    )
    app.delete<FactorRoute>('/admin/users/:id/factors/:factorId', async (request) => {
      const user = await loadUser(context.db, idOf(request))
      const factor = user.factors.find((each) => each.id === request.params.factorId)
      if (factor === undefined) throw refuse('mfa_factor_not_found')
      await removeFactor(context, user, factor)
      return renderFactor(factor)
    })

    app.post('/admin/generate_link', async (request) => {
      const link = await generateLink(context, linkOf(request))
      return {
        action_link: link.actionLink,
        email_otp: link.issued.code,
        hashed_token: link.issued.hash,
        verification_type: link.verificationType,
        redirect_to: link.redirectTo,
        ...renderUser(link.user),
      }
    })
    app.post('/invite', async (request) => renderUser(await invitePerson(context, linkOf(request, 'invite'))))
  }

const idOf = (request: FastifyRequest<UserRoute>): string => {
  const { id } = request.params
  if (!isUuid(id)) throw refuse('validation_failed', 'user_id must be an UUID', { details: 'uuid' })
  return id
}

const numberOf = (value: string | undefined, fallback: number, name: string): number => {
  if (value === undefined || value === '') return fallback
  const number = Number(value)
  if (!/^\d{1,9}$/.test(value)) throw invalid(`Bad Pagination Parameters: ${name}`)
  return number
}

const listUsers = async (services: AuthServices, request: FastifyRequest, reply: FastifyReply): Promise<object> => {
  const query = queryOf(request)
  const page = Math.max(1, numberOf(query.page, 1, 'page'))
  const size = Math.min(LARGEST_PAGE, Math.max(1, numberOf(query.per_page, DEFAULT_PAGE, 'per_page')))
  const { users, total } = await listPeople(services.auth.context.db, {
    limit: size,
    offset: (page - 1) * size,
    filter: query.filter ?? null,
    order: query.sort === 'seen' ? 'seen' : 'created',
  })
  const last = Math.max(1, Math.ceil(total / size))
  const link = (to: number, rel: string) => `</admin/users?page=${to}&per_page=${size}>; rel="${rel}"`
  reply.header('x-total-count', total)
  reply.header('link', [...(page < last ? [link(page + 1, 'next')] : []), link(last, 'last')].join(', '))
  return { users: users.map(renderUser), aud: 'authenticated' }
}

const inputOf = (body: JsonObject): AdminInput => {
  const [id, email, phone] = [text(body, 'id'), text(body, 'email'), text(body, 'phone')]
  if (id !== undefined && !isUuid(id)) throw invalid('ID must conform to the uuid v4 format')
  return {
    id: id?.toLowerCase(),
    email: email === undefined ? undefined : parseEmail(email),
    phone: phone === undefined ? undefined : parsePhone(phone),
    password: text(body, 'password'),
    passwordHash: text(body, 'password_hash'),
    emailConfirm: flag(body, 'email_confirm'),
    phoneConfirm: flag(body, 'phone_confirm'),
    userMetadata: object(body, 'user_metadata'),
    appMetadata: object(body, 'app_metadata'),
    role: text(body, 'role'),
    banDuration: text(body, 'ban_duration'),
  }
}

const linkOf = (request: FastifyRequest, fixed?: 'invite'): LinkInput => {
  const body = bodyOf(request)
  const type = fixed ?? LINK_TYPES.find((each) => each === text(body, 'type'))
  if (type === undefined) throw invalid('Invalid email action link type requested')
  const newEmail = text(body, 'new_email')
  return {
    type,
    email: parseEmail(requiredText(body, 'email', 'An email address is required')),
    newEmail: newEmail === undefined ? undefined : parseEmail(newEmail),
    password: text(body, 'password'),
    data: object(body, 'data'),
    redirectTo: redirectOf(request, body),
    device: deviceOf(request),
  }
}
