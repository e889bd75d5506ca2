/** getuserphonenumber: a phone code against a phone number. */
import { refuse } from '../errcodes.ts'
import { type Handler, ok, postedJson } from '../http/call.ts'
import { textOf } from '../kernel/json.ts'
import { appByToken } from './apps.ts'

export const phoneNumber: Handler = (world, call) => {
  const body = postedJson(call)
  const app = appByToken(world, call)
  if (app.individual) refuse(48001)
  const text = textOf(body, 'code')
  if (text === '') refuse(41008)
  const redeemed = world.codes.redeem('phone', text, app.appid)
  // A login code is in another pool: unknown here, like a used and an expired one.
  const code = redeemed.ok ? redeemed.code : refuse(redeemed.why === 'other_app' ? 40013 : 40029)
  const { phone, countryCode } = world.people.named(code.user)
  return ok({
    phone_info: {
      phoneNumber: countryCode === '86' ? phone : `+${countryCode}${phone}`,
      purePhoneNumber: phone,
      countryCode,
      watermark: { timestamp: Math.floor(world.clock.now() / 1000), appid: app.appid },
    },
  })
}
