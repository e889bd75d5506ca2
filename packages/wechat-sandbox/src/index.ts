/** The public face of the sandbox. */

export type { Control, OpenData, PersonView } from './control/control.ts'
export { decryptOpenData, encryptOpenData, signRawData, signSession } from './crypto/open-data.ts'
export { decryptPush, encryptPush, signPush } from './crypto/push-crypt.ts'
export type { Clock } from './kernel/clock.ts'
export { type Sandbox, type SandboxOptions, startSandbox } from './sandbox.ts'
export { type AppInput, type AppSettings, defaultLimits, type Limits, type PushSettings } from './settings.ts'
export { fingerprint } from './state/journal.ts'
export { openidOf } from './state/people.ts'
