/** The public face of the simulator. */

export { type BuildResult, buildProject } from './build/build.ts'
export type { BuildProblem, Bundle } from './framework/bundle.ts'
export { type SandboxPhone, sandboxHooks } from './net/wechat.ts'
export { type Answers, type LogLine, RealmMemory, type Shown } from './realm/node-host.ts'
export { createRealm, type Realm, type RealmControls, type RealmOptions } from './realm/realm.ts'
export { type Simulator, type SimulatorOptions, startSimulator } from './serve/server.ts'
export type { DeviceInfo, Hooks, ModalCall, PickedFile, ToastCall } from './wx/host.ts'
export type { NetworkType, PhoneState } from './wx/phone.ts'
export { defaultLimits, defaultSettings, type Limits, type Settings, type SettingsInput } from './wx/settings.ts'
