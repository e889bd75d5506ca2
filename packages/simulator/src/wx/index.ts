/** The wx core: the platform's functions over an injected host, the same in the browser and in Node. */
export { createCore, strictWx, type Core, type Wx } from './create.ts'
export { createDate, createTimers } from './timers.ts'
export type * from './host.ts'
export { Phone, type NetworkType, type PhoneState } from './phone.ts'
export { defaultLimits, defaultSettings, resolveSettings, type Settings, type SettingsInput } from './settings.ts'
