/**
 * The process that runs cloud functions, one invocation at a time. Started by functions/launch.ts as a user of its own; needs nothing but Node.
 *
 * Frames (four bytes of length, then JSON) come in on descriptor 3 and go out on 4. What goes out is written at once and not through a stream:
 * a process that is killed in the next moment has said everything that it said before.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const MAX_LOG_TEXT = 65_536
const MAX_LOGS = 10_000

/** The invocation that code belongs to, also when it goes on after its answer. */
const running = new AsyncLocalStorage()
/** The one that waits for its answer now. */
let current = null
let handlers = null
let limits = { reply: 6 * 1024 * 1024 }

const pause = new Int32Array(new SharedArrayBuffer(4))

const send = (message) => {
  const body = Buffer.from(JSON.stringify(message))
  const head = Buffer.alloc(4)
  head.writeUInt32LE(body.length)
  const bytes = Buffer.concat([head, body])
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(4, bytes, at)
    } catch (error) {
      // The reader is behind: the pipe is full for a moment.
      if (error.code !== 'EAGAIN') process.exit(1)
      Atomics.wait(pause, 0, 0, 2)
    }
  }
}

// --- environment: each invocation sees its own variables, and code that goes on after its answer never those of the next

const base = { ...process.env }
const own = () => (running.getStore() ?? current)?.env ?? {}

const environment = new Proxy(base, {
  get: (_target, name) => own()[name] ?? base[name],
  has: (_target, name) => name in own() || name in base,
  set: (_target, name, value) => {
    const invocation = running.getStore() ?? current
    const env = invocation === null ? base : invocation.env
    env[name] = String(value)
    return true
  },
  deleteProperty: (_target, name) => {
    delete own()[name]
    delete base[name]
    return true
  },
  ownKeys: () => [...new Set([...Object.keys(base), ...Object.keys(own())])],
  getOwnPropertyDescriptor: (_target, name) => {
    const value = own()[name] ?? base[name]
    return value === undefined ? undefined : { value, enumerable: true, configurable: true, writable: true }
  },
})
process.env = environment

// --- logs

let level = null

const log = (text, usual) => {
  const invocation = running.getStore() ?? current
  if (invocation !== null) {
    invocation.logs += 1
    if (invocation.logs > MAX_LOGS) return
    if (invocation.logs === MAX_LOGS) text = 'Too many lines: the rest of this invocation is not kept.'
  }
  send({ type: 'log', id: invocation?.id ?? null, level: level ?? usual, text: text.slice(0, MAX_LOG_TEXT) })
}

/** One entry for each call, however many lines it prints. */
const capture = (stream, usual) => {
  stream.write = (chunk, encoding, done) => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')
    log(text.endsWith('\n') ? text.slice(0, -1) : text, usual)
    const callback = typeof encoding === 'function' ? encoding : done
    if (typeof callback === 'function') process.nextTick(callback)
    return true
  }
}
capture(process.stdout, 'info')
capture(process.stderr, 'error')

for (const name of ['debug', 'info', 'log', 'warn', 'error', 'trace']) {
  const print = console[name].bind(console)
  console[name] = (...parts) => {
    level = name === 'log' ? 'info' : name === 'trace' ? 'debug' : name
    try {
      print(...parts)
    } finally {
      level = null
    }
  }
}

// --- failures

const described = (thrown) =>
  thrown instanceof Error
    ? { name: thrown.name, message: thrown.message, stack: thrown.stack ?? '' }
    : {
        name: 'Error',
        message: typeof thrown === 'string' ? thrown : (JSON.stringify(thrown) ?? String(thrown)),
        stack: '',
      }

const fail = (invocation, thrown, reason = 'thrown') => {
  if (current !== invocation) return
  current = null
  send({ type: 'failed', id: invocation.id, reason, ...described(thrown) })
}

process.on('unhandledRejection', (reason) => {
  log(`Unhandled rejection: ${described(reason).stack || described(reason).message}`, 'error')
})

process.on('uncaughtException', (error) => {
  log(`Uncaught exception: ${described(error).stack}`, 'error')
  const invocation = running.getStore() ?? current
  // What an earlier invocation left behind must not fail the one of now; the process is given up after it.
  if (invocation !== null && invocation === current) {
    fail(invocation, error)
    process.exit(1)
  }
  send({ type: 'tainted' })
})

// --- the function

const load = async ({ folder, entry, env }) => {
  Object.assign(base, env)
  process.chdir(folder)
  const file = join(folder, entry)
  const loaded = await loadModule(file)
  const inner = loaded.default
  handlers = typeof inner === 'object' && inner !== null ? { ...inner, ...loaded } : { ...loaded }
  if (typeof inner === 'function') handlers.default = inner
  const kinds = ['main', 'main_handler', 'handler', 'fetch', 'default'].filter(
    (name) => typeof handlers[name] === 'function',
  )
  if (kinds.length === 0) throw new Error(`${entry} exports no function named main, handler or fetch`)
  if (typeof handlers.initializer === 'function') await initialize(handlers.initializer)
}

const loadModule = async (file) => {
  try {
    return createRequire(pathToFileURL(file))(file)
  } catch (error) {
    if (error.code !== 'ERR_REQUIRE_ESM') throw error
    return import(pathToFileURL(file).href)
  }
}

/** Either asynchronous, or with a callback as its second argument. */
const initialize = (initializer) =>
  new Promise((resolve, reject) => {
    const done = (error) => (error ? reject(error) : resolve())
    const answer = initializer({}, done)
    if (typeof answer?.then === 'function') answer.then(() => resolve(), reject)
    else if (initializer.length < 2) resolve()
  })

const contextOf = ({ id, name, version, deadline, memory }) => ({
  requestId: id,
  request_id: id,
  functionName: name,
  function_name: name,
  functionVersion: version,
  function_version: version,
  memoryLimitInMB: memory,
  memory_limit_in_mb: memory,
  timeLimitInMs: deadline - Date.now(),
  time_limit_in_ms: deadline - Date.now(),
  getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  callbackWaitsForEmptyEventLoop: false,
})

const call = async (message) => {
  const invocation = { id: message.id, env: { ...message.env }, logs: 0 }
  current = invocation
  await running.run(invocation, async () => {
    try {
      const answer = message.http === null ? await callEvent(message) : await callHttp(message)
      finish(invocation, answer)
    } catch (error) {
      fail(invocation, error)
    }
  })
}

const finish = (invocation, answer) => {
  if (current !== invocation) return
  const size = Buffer.byteLength(answer.json ?? answer.body ?? '')
  if (size > limits.reply) {
    fail(invocation, new Error(`The reply has ${size} bytes; at most ${limits.reply} are allowed.`), 'too_large')
    return
  }
  current = null
  send({ type: 'done', id: invocation.id, ...answer })
}

const callEvent = async (message) => {
  const event = message.event === '' ? {} : JSON.parse(message.event)
  const context = contextOf(message)
  const main = handlers.main ?? handlers.main_handler
  const result = main
    ? await main(event, context)
    : handlers.handler
      ? await callHandler(message, Buffer.from(message.event), context)
      : await (handlers.default ?? handlers.fetch)(event, context)
  return { json: JSON.stringify(result) ?? 'null' }
}

// --- over HTTP

const callHttp = async (message) => {
  const context = contextOf(message)
  const fetchLike = handlers.fetch ?? (handlers.main || handlers.handler ? undefined : handlers.default)
  if (fetchLike) return fromResponse(await fetchLike(toRequest(message.http), context))
  if (handlers.handler) return callHandler(message, null, context)
  return { json: JSON.stringify(await handlers.main(eventOf(message.http), context)) ?? 'null' }
}

/** What `main` is given: the JSON of the body, else what the request was. */
const eventOf = ({ method, path, query, headers, body }) => {
  const bytes = Buffer.from(body, 'base64')
  const isJson = /\bjson\b/i.test(headers['content-type'] ?? '')
  if (isJson && bytes.length > 0) {
    const parsed = JSON.parse(bytes.toString('utf8'))
    if (typeof parsed === 'object' && parsed !== null) return parsed
  }
  const binary = bytes.length > 0 && !isText(headers['content-type'])
  return {
    httpMethod: method,
    path,
    headers,
    queryStringParameters: query,
    body: binary ? body : bytes.toString('utf8'),
    isBase64Encoded: binary,
  }
}

const isText = (type = '') => /^text\/|json|xml|urlencoded|javascript/i.test(type) || type === ''

const toRequest = ({ method, url, headers, body }) => {
  const bytes = Buffer.from(body, 'base64')
  return new Request(url, { method, headers, ...(method === 'GET' || method === 'HEAD' ? {} : { body: bytes }) })
}

const fromResponse = async (response) => {
  if (!(response instanceof Response)) return { json: JSON.stringify(response) ?? 'null' }
  return {
    status: response.status,
    headers: [...response.headers],
    body: Buffer.from(await response.arrayBuffer()).toString('base64'),
  }
}

/**
 * A `handler` has one of two shapes and does not say which: (request, response, context) or (event, context, callback). What it is given serves
 * both: the first argument reads as the body too, the second carries the context's members, and the third can be called.
 */
const callHandler = (message, event, context) =>
  new Promise((resolve, reject) => {
    const first = event ?? requestLike(message.http)
    const second = Object.assign(responseLike(resolve), context)
    const third = Object.assign((error, result) => (error ? reject(error) : resolve(answerOf(result, event))), context)
    const returned = handlers.handler(first, second, third)
    if (typeof returned?.then !== 'function') return
    returned.then((result) => {
      if (result !== undefined) resolve(answerOf(result, event))
      // An async handler that neither answered nor returns anything is done all the same.
      else resolve(answerOf(null, event))
    }, reject)
  })

/** An object with a status code is an answer over HTTP; anything else is the body. */
const answerOf = (result, event) => {
  if (event !== null) return { json: JSON.stringify(result) ?? 'null' }
  if (result instanceof Response) return fromResponse(result)
  if (typeof result === 'object' && result !== null && Number.isInteger(result.statusCode)) {
    const { statusCode, headers = {}, body = '', isBase64Encoded = false } = result
    const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
    const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text, isBase64Encoded ? 'base64' : 'utf8')
    return { status: statusCode, headers: Object.entries(headers), body: bytes.toString('base64') }
  }
  return { json: JSON.stringify(result) ?? 'null' }
}

const requestLike = (http) => {
  const bytes = Buffer.from(http.body, 'base64')
  const text = bytes.toString('utf8')
  return {
    ...http,
    body: text,
    rawBody: bytes,
    queries: http.query,
    clientIP: http.ip,
    requestURI: http.path,
    toString: () => text,
    // Readable the way that body parsers read a request.
    on(name, listener) {
      if (name === 'data' && bytes.length > 0) process.nextTick(listener, bytes)
      if (name === 'end') process.nextTick(listener)
      return this
    },
  }
}

const responseLike = (resolve) => {
  const headers = []
  const response = {
    statusCode: 200,
    setStatusCode(code) {
      response.statusCode = code
      return response
    },
    status: (code) => response.setStatusCode(code),
    setHeader(name, value) {
      headers.push([String(name), String(value)])
      return response
    },
    deleteHeader(name) {
      const left = headers.filter(([each]) => each.toLowerCase() !== String(name).toLowerCase())
      headers.splice(0, headers.length, ...left)
      return response
    },
    json(value) {
      response.setHeader('content-type', 'application/json; charset=utf-8')
      response.send(JSON.stringify(value))
    },
    send(body = '') {
      const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
      resolve({ status: response.statusCode, headers, body: Buffer.from(text).toString('base64') })
    },
    end: (body) => response.send(body),
  }
  return response
}

// --- what the server says

const take = async (message) => {
  if (message.type === 'load') {
    limits = message.limits
    try {
      await load(message)
      send({ type: 'loaded' })
    } catch (error) {
      send({ type: 'load_failed', ...described(error) })
    }
  }
  if (message.type === 'call') await call(message)
}

let waiting = Buffer.alloc(0)
const input = new Socket({ fd: 3, readable: true, writable: false })
input.on('data', (chunk) => {
  waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk])
  while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUInt32LE(0)) {
    const end = 4 + waiting.readUInt32LE(0)
    const message = JSON.parse(waiting.toString('utf8', 4, end))
    waiting = waiting.subarray(end)
    void take(message)
  }
})
// The server is gone: nobody waits for anything here.
input.on('close', () => process.exit(0))
send({ type: 'ready' })
