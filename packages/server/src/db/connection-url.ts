/** The operator's database URL in pg's parts, so that another login can take the place of user and password. Pure. */
import type pg from 'pg'
import { AppError } from '../kernel/errors.ts'

/** Plain connections, as far as libpq is concerned: `prefer` and `allow` take what the server offers, and pg cannot try twice. */
const WITHOUT_TLS = [null, '', 'disable', 'allow', 'prefer']
const VERIFYING = ['verify-ca', 'verify-full']

/** Takes a URL apart. Throws AppError `bad_request` that never repeats the URL: it holds a password. */
export const connectionOf = (text: string): pg.ClientConfig => {
  const url = new URL(text)
  if (url.pathname.length < 2) throw new AppError('bad_request', 'the database URL names no database')
  const tls = url.searchParams.get('sslmode')
  return {
    // A folder in `host` is that of a Unix socket; an IPv6 address comes in brackets.
    host: url.searchParams.get('host') ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.searchParams.get('port') ?? (url.port === '' ? 5432 : url.port)),
    ...(url.username === '' ? {} : { user: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    database: decodeURIComponent(url.pathname.slice(1)),
    ...(WITHOUT_TLS.includes(tls) ? {} : { ssl: { rejectUnauthorized: VERIFYING.includes(tls ?? '') } }),
  }
}

/** Where a URL points, for people: without user, password and options. */
export const placeOf = (text: string): string => {
  const { host, port, database } = connectionOf(text)
  return `${database} on ${host}:${port}`
}
