/** Tokens as the product's own login issues them, made by hand so that a test chooses when they run out. */
import { createHmac } from 'node:crypto'

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token of a user; `seconds` from now, rounded to whole seconds as tokens are. Answers also the moment of its end, in the run's clock. */
export const tokenFor = (
  secret: string,
  user: string,
  seconds: number,
): { readonly token: string; readonly expires: number } => {
  const exp = Math.floor(Date.now() / 1000) + seconds
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: user, role: 'authenticated', aud: 'authenticated', exp })}`
  const signature = createHmac('sha256', secret).update(body).digest('base64url')
  return { token: `${body}.${signature}`, expires: performance.now() + exp * 1000 - Date.now() }
}
