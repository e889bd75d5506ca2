/** The numbers and switches of the simulated phone; every quota is here, because WeChat changes them. */

export interface Limits {
  readonly concurrentRequests: number
  readonly sockets: number
  readonly storageKeyBytes: number
  readonly storageTotalBytes: number
  readonly userFilesBytes: number
  readonly downloadBytes: number
  readonly requestTimeout: number
  readonly backgroundGrace: number
  readonly backgroundDestroy: number
  readonly pageStack: number
  readonly chooseCount: number
}

/** What is known of the platform's quotas. */
export const defaultLimits: Limits = {
  concurrentRequests: 10,
  sockets: 5,
  storageKeyBytes: 1024 * 1024,
  storageTotalBytes: 10 * 1024 * 1024,
  userFilesBytes: 200 * 1024 * 1024,
  downloadBytes: 200 * 1024 * 1024,
  requestTimeout: 60_000,
  backgroundGrace: 5_000,
  backgroundDestroy: 30 * 60_000,
  pageStack: 10,
  chooseCount: 20,
}

/** Hosts that may be called, one list a purpose, as in the mini-program's console. */
export interface DomainLists {
  readonly request: readonly string[]
  readonly socket: readonly string[]
  readonly upload: readonly string[]
  readonly download: readonly string[]
}

export interface Settings {
  readonly appId: string
  /** `devtools`, `0` (development, trial, review) or a release number; part of the Referer. */
  readonly version: string
  readonly envVersion: 'develop' | 'trial' | 'release'
  readonly limits: Limits
  /** Off in development, as "do not verify domains" in DevTools. */
  readonly checkDomains: boolean
  readonly domains: DomainLists
  /** PATCH is not among the documented methods: DevTools sends it, a device may not. */
  readonly patchMethod: 'warn' | 'refuse'
  /** Devices differ in how they spell response headers. */
  readonly headerCase: 'preserve' | 'lower' | 'canonical'
  /** SocketTask.readyState is there on devices but in no document; switch it off to prove code does without. */
  readonly socketReadyState: boolean
  /** What an eleventh request does. */
  readonly requestOverflow: 'queue' | 'fail'
  readonly launchPath: string
}

/** The settings a project runs with when nothing else is said. */
export const defaultSettings: Settings = {
  appId: 'touristappid',
  version: 'devtools',
  envVersion: 'develop',
  limits: defaultLimits,
  checkDomains: false,
  domains: { request: [], socket: [], upload: [], download: [] },
  patchMethod: 'warn',
  headerCase: 'preserve',
  socketReadyState: true,
  requestOverflow: 'queue',
  launchPath: '',
}

/** Settings as a caller may give them: anything left out keeps its default. */
export type SettingsInput = Partial<Omit<Settings, 'limits' | 'domains'>> & {
  readonly limits?: Partial<Limits>
  readonly domains?: Partial<DomainLists>
}

/** Fills in what was left out. */
export function resolveSettings(input: SettingsInput = {}): Settings {
  return {
    ...defaultSettings,
    ...input,
    limits: { ...defaultLimits, ...input.limits },
    domains: { ...defaultSettings.domains, ...input.domains },
  }
}
