/** The part of a Node realm that runs inside it: the same wx core, so that every object the app sees belongs to the realm. */
import type { Bundle } from '../../framework/bundle.ts'
import { Loader, type ModuleSource } from '../../framework/loader.ts'
import { createRuntime, type Runtime } from '../../framework/runtime.ts'
import { createCore } from '../../wx/create.ts'
import type { Host } from '../../wx/host.ts'
import type { SettingsInput } from '../../wx/settings.ts'
import { createDate } from '../../wx/timers.ts'
import { headlessPages } from './pages.ts'

export interface InsideParts {
  readonly host: Host
  readonly settings: SettingsInput
  readonly bundle: Bundle
  readonly source: ModuleSource
  /** The realm's global object; the runtime puts wx, App, timers and the others there. */
  readonly global: Record<string, unknown>
}

/** Builds the runtime in this realm. */
export function boot(parts: InsideParts): Runtime & { setClock(moment: number | null): void } {
  const core = createCore(parts.host, parts.settings)
  const pages = headlessPages(core.phone, parts.bundle)
  const runtime = createRuntime({ core, bundle: parts.bundle, source: parts.source, ...pages })
  Object.assign(parts.global, runtime.globals)
  const realDate = Date
  const setClock = (moment: number | null) => {
    core.phone.clock.set(moment)
    parts.global.Date = moment === null ? realDate : createDate(core.phone.clock)
  }
  return { ...runtime, setClock }
}

export { Loader }
