/** Passwords: how they are kept, compared and judged. Comparing takes the same time whether or not there is an account. */
import { hash, verify } from '@node-rs/argon2'
import bcrypt from 'bcryptjs'
import { AppError } from '../kernel/errors.ts'
import { invalid } from './errors.ts'
import type { AuthSettings, PasswordRequirements } from './settings.ts'

// OWASP's recommendation for argon2id: 19 MiB, two passes. 38 ms on two shared cores.
const ARGON2ID = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 }
const BCRYPT = /^\$2[abxy]\$/
/** The longest that bcrypt reads; kept so that an account can be moved to another server. */
const LONGEST = 72

export interface Passwords {
  hash(password: string): Promise<string>
  /** Compares with a stored hash, or with nothing at the same price. `rehash` asks for a hash of today's kind. */
  verify(stored: string | null, password: string): Promise<{ readonly matches: boolean; readonly rehash: boolean }>
}

export const createPasswords = (): Passwords => {
  // What unknown accounts are compared with.
  let decoy: Promise<string> | null = null
  return {
    hash: (password) => hash(password, ARGON2ID),
    async verify(stored, password) {
      if (password.length > 1024) return { matches: false, rehash: false }
      if (stored === null || stored === '') {
        decoy ??= hash('nobody knows this one', ARGON2ID)
        await verify(await decoy, password)
        return { matches: false, rehash: false }
      }
      if (BCRYPT.test(stored)) {
        const matches = await bcrypt.compare(password, stored.replace(/^\$2x/, '$2a'))
        return { matches, rehash: matches }
      }
      const matches = stored.startsWith('$argon2') && (await verify(stored, password).catch(() => false))
      return { matches, rehash: matches && !stored.startsWith('$argon2id$v=19$m=19456,t=2,p=1') }
    },
  }
}

/** Whether a text is a hash that `verify` understands, for imported accounts. */
export const isPasswordHash = (text: string): boolean =>
  /^\$2[abxy]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}$/.test(text) ||
  /^\$argon2(id|i|d)\$v=19\$m=\d{1,7},t=\d{1,2},p=\d{1,2}(,\w+=[^$]*)?\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/.test(text)

const LOWER = 'abcdefghijklmnopqrstuvwxyz'
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const DIGITS = '0123456789'
const SYMBOLS = '!@#$%^&*()_+-=[]{};\'\\:"|<>?,./`~'

const REQUIRED: Readonly<Record<PasswordRequirements, readonly string[]>> = {
  '': [],
  letters_digits: [LOWER + UPPER, DIGITS],
  lower_upper_letters_digits: [LOWER, UPPER, DIGITS],
  lower_upper_letters_digits_symbols: [LOWER, UPPER, DIGITS, SYMBOLS],
}

type Rules = Pick<AuthSettings, 'minimumPasswordLength' | 'passwordRequirements'>

/** Throws `weak_password` (its details name the reasons) or `validation_failed`. */
export const assertPasswordStrength = (password: string, rules: Rules): void => {
  if (password.length > LONGEST) throw invalid(`Password cannot be longer than ${LONGEST} characters`)
  const messages: string[] = []
  const reasons: string[] = []
  if (password.length < rules.minimumPasswordLength) {
    reasons.push('length')
    messages.push(`Password should be at least ${rules.minimumPasswordLength} characters.`)
  }
  const sets = REQUIRED[rules.passwordRequirements]
  if (sets.some((set) => ![...set].some((character) => password.includes(character)))) {
    reasons.push('characters')
    messages.push(`Password should contain at least one character of each: ${sets.join(', ')}.`)
  }
  if (reasons.length === 0) return
  throw new AppError('bad_request', messages.join(' '), { reason: 'weak_password', details: reasons.join(',') })
}
