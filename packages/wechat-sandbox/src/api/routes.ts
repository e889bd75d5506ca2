/** Every address of WeChat that the sandbox answers. */
import type { Handler } from '../http/call.ts'
import { codePicture } from './code-picture.ts'
import { checkSession, jscode2session, resetSessionKey } from './login.ts'
import { imageCheck, mediaCheck } from './media-check.ts'
import { phoneNumber } from './phone.ts'
import { sendMessage } from './subscribe.ts'
import { textCheck } from './text-check.ts'
import { stableToken, token } from './token.ts'
import {
  checkWebToken,
  confirmPage,
  connectPage,
  pollScan,
  returnToSite,
  userInfo,
  webAccessToken,
  webRefreshToken,
} from './web-login.ts'

export const apiRoutes: Readonly<Record<string, Handler>> = {
  '/sns/jscode2session': jscode2session,
  '/cgi-bin/token': token,
  '/cgi-bin/stable_token': stableToken,
  '/wxa/business/getuserphonenumber': phoneNumber,
  '/wxa/msg_sec_check': textCheck,
  '/wxa/media_check_async': mediaCheck,
  '/wxa/img_sec_check': imageCheck,
  '/cgi-bin/message/subscribe/send': sendMessage,
  '/wxa/getwxacodeunlimit': codePicture,
  '/wxa/checksession': checkSession,
  '/wxa/resetusersessionkey': resetSessionKey,
  '/sns/oauth2/access_token': webAccessToken,
  '/sns/oauth2/refresh_token': webRefreshToken,
  '/sns/userinfo': userInfo,
  '/sns/auth': checkWebToken,
  '/connect/qrconnect': connectPage,
  '/connect/oauth2/authorize': connectPage,
  '/connect/l/qrconnect': pollScan,
  '/connect/confirm': confirmPage,
  '/connect/return': returnToSite,
}
