/** The public face of the simulator. */
export { createRealm, type Realm, type RealmControls, type RealmOptions } from './realm/realm.ts'
export { RealmMemory, type Answers, type LogLine, type Shown } from './realm/node-host.ts'
export { buildProject, type BuildResult } from './build/build.ts'
export type { Bundle, BuildProblem } from './framework/bundle.ts'
export { defaultLimits, defaultSettings, type Limits, type Settings, type SettingsInput } from './wx/settings.ts'
export type { DeviceInfo, Hooks, ModalCall, PickedFile, ToastCall } from './wx/host.ts'
export type { NetworkType, PhoneState } from './wx/phone.ts'
