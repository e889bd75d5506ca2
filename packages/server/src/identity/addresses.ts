/** The two kinds of address that a person can be reached at, as they are kept: e-mail in lower case, phone numbers as digits. */
import { invalid } from './errors.ts'

// Every class is followed by one that it does not contain, so matching is linear.
const EMAIL = /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/
const PHONE = /^[1-9]\d{1,14}$/

/** Throws `validation_failed` when it cannot be an address. */
export const parseEmail = (text: string): string => {
  const email = text.trim().toLowerCase()
  if (email === '') throw invalid('An email address is required')
  if (email.length > 255 || !EMAIL.test(email)) throw invalid('Unable to validate email address: invalid format')
  return email
}

/** Digits without `+`. Throws `validation_failed` when it cannot be a number. */
export const parsePhone = (text: string): string => {
  const phone = text.trim().replace(/^\++/, '').replaceAll(' ', '')
  if (!PHONE.test(phone)) throw invalid('Invalid phone number format (E.164 required)')
  return phone
}

/** For a provider: with country code. Eleven digits that start with 1 are a mainland number as people there write it. */
export const dialable = (phone: string): string => (/^1[3-9]\d{9}$/.test(phone) ? `+86${phone}` : `+${phone}`)
