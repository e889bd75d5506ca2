/** The wx core: the platform's functions over an injected host, the same in the browser and in Node. */
export { type Core, createCore, strictWx, type Wx } from './create.ts'
export type * from './host.ts'
export { type NetworkType, Phone, type PhoneState } from './phone.ts'
export { defaultLimits, defaultSettings, resolveSettings, type Settings, type SettingsInput } from './settings.ts'
export { createDate, createTimers } from './timers.ts'
