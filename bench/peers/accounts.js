/** Logins as a careful programmer writes them without a product: bare HTTP routes, one look-up, one insert, argon2 and jose. And both libraries alone. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { hash, verify } from '@node-rs/argon2'
import { generateKeyPair, jwtVerify, SignJWT } from 'jose'
import pg from 'pg'
import { serve } from '../lib/child.js'
import { hammer } from '../lib/hammer.js'

/** As many as the product has. */
const CONNECTIONS = 10
/** The product's own parameters. */
const ARGON2ID = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 }

const digest = (text) => createHash('sha256').update(text).digest('base64url')

const bodyOf = async (request) => {
  const parts = []
  for await (const part of request) parts.push(part)
  return JSON.parse(Buffer.concat(parts).toString())
}

const createRoutes = ({ pool, key, wechat }) => {
  const query = async (name, text, values) => (await pool.query({ name, text, values })).rows[0]
  const sign = (user, session) =>
    new SignJWT({ role: 'authenticated', session_id: session })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setSubject(user)
      .setAudience('authenticated')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(key)

  /** A row for the session, and the two tokens that stand for it. */
  const begin = async (user) => {
    const refresh = randomBytes(32).toString('base64url')
    const session = randomUUID()
    const text = 'insert into bench.session (id, user_id, token) values ($1, $2, $3)'
    await query('begin', text, [session, user, digest(refresh)])
    return { access_token: await sign(user, session), refresh_token: refresh }
  }

  return {
    async password(request) {
      const { email, password } = await bodyOf(request)
      const text = 'select id, encrypted_password from auth.users where email = $1'
      const user = await query('user', text, [email])
      if (user === undefined || !(await verify(user.encrypted_password, password))) throw new Error('wrong password')
      return begin(user.id)
    },
    async refresh(request) {
      const { refresh_token: old } = await bodyOf(request)
      const refresh = randomBytes(32).toString('base64url')
      const text = 'update bench.session set token = $2, at = now() where token = $1 returning id, user_id'
      const session = await query('refresh', text, [digest(old), digest(refresh)])
      if (session === undefined) throw new Error('no such session')
      return { access_token: await sign(session.user_id, session.id), refresh_token: refresh }
    },
    async verify(request) {
      const { payload } = await jwtVerify(request.headers.authorization.slice(7), key, {
        algorithms: ['HS256'],
        audience: 'authenticated',
      })
      return { sub: payload.sub }
    },
    async none() {
      return {}
    },
    async wechat(request) {
      const code = new URL(request.url, 'http://localhost').searchParams.get('code')
      const query_ = new URLSearchParams({ appid: wechat.appid, secret: wechat.secret, js_code: code })
      const answer = await fetch(`${wechat.url}/sns/jscode2session?${query_}&grant_type=authorization_code`)
      const { openid } = await answer.json()
      if (openid === undefined) throw new Error('no openid')
      const text = `insert into bench.person (openid, id) values ($1, $2)
        on conflict (openid) do update set seen = now() returning id`
      return begin((await query('person', text, [openid, randomUUID()])).id)
    },
    /** Sessions to refresh. */
    async sessions(request) {
      const { count, user } = await bodyOf(request)
      return Promise.all(Array.from({ length: count }, async () => (await begin(user)).refresh_token))
    },
  }
}

const listen = async (routes) => {
  const server = createServer((request, response) => {
    const name = request.url.slice(1).split('?', 1)[0]
    const send = (status, value) => {
      const text = JSON.stringify(value)
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
      response.end(text)
    }
    routes[name](request).then(
      (value) => send(200, value),
      (error) => send(500, { message: String(error) }),
    )
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${server.address().port}`
}

/** One call of a library, with nothing around it. */
const ALONE = {
  async argon2() {
    const stored = await hash('correct horse', ARGON2ID)
    return () => verify(stored, 'correct horse')
  },
  async 'sign HS256'() {
    const key = randomBytes(32)
    return () => new SignJWT({ role: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setIssuedAt().sign(key)
  },
  async 'verify HS256'() {
    const key = randomBytes(32)
    const token = await new SignJWT({ role: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).sign(key)
    return () => jwtVerify(token, key, { algorithms: ['HS256'] })
  },
  async 'verify ES256'() {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const token = await new SignJWT({ role: 'authenticated' }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey)
    return () => jwtVerify(token, publicKey, { algorithms: ['ES256'] })
  },
}

serve({
  async start({ connection, jwtSecret, wechat }) {
    const pool = new pg.Pool({ ...connection, max: CONNECTIONS })
    return listen(createRoutes({ pool, wechat, key: new TextEncoder().encode(jwtSecret) }))
  },

  /** Answers the processor time of one call too. */
  async alone({ what, ...timing }) {
    const work = await ALONE[what]()
    const before = process.cpuUsage()
    let calls = 0
    const result = await hammer(timing, async () => {
      calls += 1
      await work()
    })
    const { user, system } = process.cpuUsage(before)
    return { ...result, cpu: (user + system) / calls }
  },
})
