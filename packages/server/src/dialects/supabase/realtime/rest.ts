/** Broadcasts over HTTP: many messages at once, or one to a topic. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../../../identity/caller.ts'
import { AppError } from '../../../kernel/errors.ts'
import { isObject, type Json } from '../../../kernel/json.ts'
import type { MessageBody, TopicMessage } from '../../../live/broadcast.ts'
import { parseBytes } from './codec.ts'
import { type RealtimeLimits, refusals } from './limits.ts'
import type { RealtimeServices } from './services.ts'

type Message = Omit<TopicMessage, 'sender'>

export const registerRest = (app: FastifyInstance, services: RealtimeServices, limits: RealtimeLimits): void => {
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  // Fastify's own would mend bytes that are no UTF-8, and reads what is too deep to be written again.
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    const value = parseBytes(Buffer.from(body))
    if (value === undefined) done(invalid('The body is not JSON, or nested too deeply.'))
    else done(null, value)
  })

  app.post('/api/broadcast', async (request, reply) => {
    await send(services, request.caller, parseMessages(request.body, limits))
    return accepted(reply)
  })

  app.post<{ Params: { topic: string; event: string }; Querystring: { private?: string } }>(
    '/api/broadcast/:topic/events/:event',
    async (request, reply) => {
      const { topic, event } = request.params
      const isPrivate = request.query.private === 'true' || request.query.private === '1'
      await send(services, request.caller, [
        { topic: { name: nameOf(topic, limits), private: isPrivate }, event, body: bodyOf(request, limits) },
      ])
      return accepted(reply)
    },
  )
}

const accepted = (reply: FastifyReply) => reply.code(202).send()

const invalid = (message: string): AppError => new AppError('bad_request', message)

const parseMessages = (body: unknown, limits: RealtimeLimits): readonly Message[] => {
  if (!isObject(body) || !Array.isArray(body.messages))
    throw invalid('The body must be an object with an array "messages".')
  const list: readonly Json[] = body.messages
  if (list.length > limits.restMessages) throw invalid(`At most ${limits.restMessages} messages at once.`)
  return list.map((message, index) => {
    if (!isObject(message)) throw invalid(`Message ${index} is not an object.`)
    const { topic, event, payload } = message
    if (typeof topic !== 'string' || topic === '') throw invalid(`Message ${index} has no topic.`)
    if (typeof event !== 'string' || event === '') throw invalid(`Message ${index} has no event.`)
    if (payload === undefined || payload === null) throw invalid(`Message ${index} has no payload.`)
    const bytes = Buffer.from(JSON.stringify(payload))
    return {
      topic: { name: nameOf(topic, limits), private: message.private === true || message.private === 'true' },
      event,
      body: checked({ encoding: 'json', bytes }, limits),
    }
  })
}

const nameOf = (topic: string, limits: RealtimeLimits): string => {
  if (topic.length > limits.topicLength || topic.includes('\0')) throw invalid('The topic is too long or holds NUL.')
  return topic
}

const bodyOf = (request: FastifyRequest, limits: RealtimeLimits): MessageBody => {
  if (Buffer.isBuffer(request.body)) return checked({ encoding: 'binary', bytes: request.body }, limits)
  if (request.body === undefined || request.body === null) throw invalid('The payload is missing.')
  return checked({ encoding: 'json', bytes: Buffer.from(JSON.stringify(request.body)) }, limits)
}

const checked = (body: MessageBody, limits: RealtimeLimits): MessageBody => {
  if (body.bytes.length > limits.payloadBytes) throw new AppError('too_large', refusals.payloadTooLarge)
  return body
}

/** Sends all or, when one of them may not be sent, none. */
const send = async (services: RealtimeServices, caller: Caller, messages: readonly Message[]): Promise<void> => {
  const asked = new Set(messages.filter(({ topic }) => topic.private).map(({ topic }) => topic.name))
  for (const name of asked) {
    if (!(await services.access.write(caller, name, 'broadcast')))
      throw new AppError('forbidden', refusals.notWritable(name))
  }
  for (const message of messages) services.broadcasts.publish({ ...message, sender: null })
}
