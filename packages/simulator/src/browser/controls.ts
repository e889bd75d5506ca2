/** `window.__simulator`: what tests and the control bar may do to the phone. */
import type { Runtime } from '../framework/runtime.ts'
import type { NetworkType, PlannedFailure } from '../wx/phone.ts'
import type { SettingsInput } from '../wx/settings.ts'

/** Puts the controls on the window. */
export function exposeControls(runtime: Runtime, persistence: { clear(): void }): void {
  const { phone, storage } = runtime.core
  const controls = {
    wx: runtime.wx,
    getApp: runtime.app.getApp,
    getCurrentPages: runtime.router.getCurrentPages,
    get state() {
      return phone.state
    },
    goBackground: () => phone.goBackground(),
    /** A destroyed app starts again, as a phone would start it. */
    goForeground: () => (phone.state === 'destroyed' ? location.reload() : phone.goForeground()),
    setNetwork: (type: NetworkType) => phone.setNetwork(type),
    failNext: (api: string, failure?: Partial<PlannedFailure>, times?: number) => phone.failNext(api, failure, times),
    setClock: (moment: number | null) => phone.clock.set(moment),
    advance: (ms: number) => phone.clock.advance(ms),
    clearStorage: () => {
      storage.clear()
      persistence.clear()
    },
    setSettings: ({ limits, domains, ...rest }: SettingsInput) => {
      const now = phone.settings
      phone.settings = {
        ...now,
        ...rest,
        limits: { ...now.limits, ...limits },
        domains: { ...now.domains, ...domains },
      }
    },
    back: () => runtime.router.back(1),
  }
  ;(window as unknown as { __simulator: typeof controls }).__simulator = controls
}
