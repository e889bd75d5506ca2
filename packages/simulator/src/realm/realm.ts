/** A mini-program's JavaScript world in Node: a vm context with the language, wx, timers and console, and nothing else. */
import { resolve } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { type BuildResult, buildProject, collectScripts } from '../build/build.ts'
import { ProjectFiles } from '../build/files.ts'
import { NpmMounts } from '../build/npm.ts'
import { Problems } from '../build/problems.ts'
import type { Bundle } from '../framework/bundle.ts'
import type { ModuleSource } from '../framework/loader.ts'
import type { Runtime } from '../framework/runtime.ts'
import { type SandboxPhone, sandboxHooks } from '../net/wechat.ts'
import type { DeviceInfo, Hooks } from '../wx/host.ts'
import type { NetworkType, PhoneState, PlannedFailure } from '../wx/phone.ts'
import type { SettingsInput } from '../wx/settings.ts'
import type { VirtualFiles } from '../wx/virtual-files.ts'
import { insideScript } from './inside-script.ts'
import { type Answers, createNodeHost, type LogLine, RealmMemory, type Shown } from './node-host.ts'

export interface RealmOptions {
  /** A project to run; its app.js and pages are loaded by `launch`. */
  readonly projectDir?: string
  /** Without a project: where `require` of packages and relative files starts. Default: the working directory. */
  readonly baseDir?: string
  /** Packages (or files, starting with ./) that `require` must be able to load besides what the project uses. */
  readonly entry?: string | readonly string[]
  readonly user?: string
  readonly settings?: SettingsInput
  readonly answers?: Answers
  readonly hooks?: Partial<Hooks>
  /** A WeChat sandbox that gives out login and phone codes; `hooks` win over it. */
  readonly wechat?: Omit<SandboxPhone, 'user'>
  readonly device?: Partial<DeviceInfo>
  /** Storage and files of an earlier realm. */
  readonly memory?: RealmMemory
  /** Where console and warnings go; default: kept in `realm.logs` only. */
  readonly onLog?: (line: LogLine) => void
}

export interface RealmControls {
  goBackground(): void
  goForeground(): void
  setNetwork(type: NetworkType): void
  /** The next call of an API fails with this reason: `failNext('request', { reason: 'timeout' })`. */
  failNext(api: string, failure?: Partial<PlannedFailure>, times?: number): void
  /** Freezes the clock at a moment; null lets it run. */
  setClock(moment: number | null): void
  /** Moves the frozen clock, running the timers that come due. */
  advance(ms: number): Promise<void>
  setSettings(settings: SettingsInput): void
  readonly state: PhoneState
}

export interface Realm {
  readonly wx: Record<string, unknown>
  readonly controls: RealmControls
  readonly files: VirtualFiles
  readonly memory: RealmMemory
  readonly logs: readonly LogLine[]
  readonly shown: Shown
  /** Loads a module of the realm: an npm package, or a file of the project. */
  require(request: string): unknown
  /** Runs code in the realm and returns its value. */
  evaluate(code: string): unknown
  /** Runs app.js and opens the entry page, or the page of a URL. */
  launch(url?: string): void
  getApp(): object | undefined
  getCurrentPages(): object[]
  /** Stops timers and cuts connections. */
  close(): void
}

/** Makes a realm. Nothing of the app has run yet. */
export async function createRealm(options: RealmOptions = {}): Promise<Realm> {
  const built = await buildFor(options)
  const script = await insideScript()
  const logs: LogLine[] = []
  const onLog = (line: LogLine) => {
    logs.push(line)
    options.onLog?.(line)
  }
  const memory = options.memory ?? new RealmMemory()
  const { host, shown } = createNodeHost({
    user: options.user ?? 'user',
    files: built.files,
    answers: options.answers ?? {},
    hooks: { ...wechatHooks(options), ...options.hooks },
    device: options.device ?? {},
    memory,
    onLog,
  })
  const context = makeContext(onLog)
  // The script is ours: its value is the module in inside/main.ts.
  const inside = runInContext(script, context, { filename: 'teahouse-simulator/inside.js' }) as {
    boot(parts: object): Runtime & { setClock(moment: number | null): void }
  }
  const runtime = inside.boot({
    host,
    settings: { appId: built.bundle.appId, ...options.settings },
    bundle: built.bundle,
    source: moduleSource(built.modules, context),
    global: context,
  })
  const stopListening = routeRejections(context, runtime)
  return realmOf(runtime, context, { memory, logs, shown, stopListening })
}

const wechatHooks = ({ wechat, user = 'user' }: RealmOptions): Partial<Hooks> =>
  wechat === undefined ? {} : sandboxHooks({ ...wechat, user })

interface Built {
  readonly modules: ReadonlyMap<string, string>
  readonly bundle: Bundle
  readonly files: ProjectFiles
}

const EMPTY: Bundle = {
  appId: 'touristappid',
  projectName: 'realm',
  pages: [],
  entryPage: '',
  window: {},
  tabBar: null,
  networkTimeout: {},
  style: '',
  components: {},
  styles: {},
  problems: [],
}

async function buildFor(options: RealmOptions): Promise<Built> {
  const entries = typeof options.entry === 'string' ? [options.entry] : (options.entry ?? [])
  if (options.projectDir !== undefined) {
    const built: BuildResult = await buildProject(options.projectDir, { hideGlobals: false, views: false })
    const extra = await collectEntries(built.project, entries)
    return { modules: new Map([...built.modules, ...extra]), bundle: built.bundle, files: built.project.files }
  }
  const base = resolve(options.baseDir ?? process.cwd())
  const problems = new Problems()
  const files = new ProjectFiles(base, new NpmMounts(base, problems, { anyPackage: true }))
  return { modules: await collectEntries({ files, problems }, entries), bundle: EMPTY, files }
}

async function collectEntries(project: { files: ProjectFiles; problems: Problems }, entries: readonly string[]) {
  const paths = entries.map((entry) => {
    const path = project.files.resolveScript('/realm.js', entry)
    if (!path) throw new Error(`realm entry "${entry}" cannot be found`)
    return path
  })
  const modules = await collectScripts(project, paths, false)
  const broken = project.problems.list.find((problem) => problem.level === 'error')
  if (broken && paths.length > 0) throw new Error(`${broken.file}: ${broken.message}`)
  return modules
}

function moduleSource(modules: ReadonlyMap<string, string>, context: object): ModuleSource {
  return {
    has: (path) => modules.has(path),
    run: (path, require, module) => {
      const code = `(function(require,module,exports){"use strict";${modules.get(path) ?? ''}\n})`
      // The value of a function expression is that function.
      const wrapper = runInContext(code, context, { filename: path }) as (...args: unknown[]) => void
      Reflect.apply(wrapper, undefined, [require, module, module.exports])
    },
  }
}

/** A context without eval, new Function and WebAssembly, as on a device. */
function makeContext(onLog: (line: LogLine) => void): Record<string, unknown> {
  const context: Record<string, unknown> = {}
  createContext(context, { codeGeneration: { strings: false, wasm: false } })
  runInContext('delete globalThis.WebAssembly; delete globalThis.SharedArrayBuffer; globalThis.global = {}', context)
  const writer =
    (level: LogLine['level']) =>
    (...parts: unknown[]) =>
      onLog({ level, parts })
  const log = writer('log')
  context.console = {
    log,
    info: log,
    debug: log,
    trace: log,
    warn: writer('warn'),
    error: writer('error'),
    group: log,
    groupEnd: () => {},
    time: () => {},
    timeEnd: () => {},
    table: log,
    assert: (condition: unknown, ...parts: unknown[]) => void (condition ? 0 : onLog({ level: 'error', parts })),
  }
  return context
}

/** Rejections nobody handled go to the app that made them; other listeners of the process still see them. */
function routeRejections(context: object, runtime: Runtime): () => void {
  const RealmPromise: unknown = runInContext('Promise', context)
  const listener = (reason: unknown, promise: unknown) => {
    if (typeof RealmPromise === 'function' && promise instanceof RealmPromise)
      runtime.core.phone.onUnhandledRejection.emit({ reason, promise })
  }
  process.on('unhandledRejection', listener)
  return () => void process.off('unhandledRejection', listener)
}

interface Kept {
  readonly memory: RealmMemory
  readonly logs: readonly LogLine[]
  readonly shown: Shown
  readonly stopListening: () => void
}

function realmOf(runtime: Runtime & { setClock(moment: number | null): void }, context: object, kept: Kept): Realm {
  const { phone, files } = runtime.core
  return {
    wx: runtime.wx,
    files,
    memory: kept.memory,
    logs: kept.logs,
    shown: kept.shown,
    require: runtime.loader.requireFrom('/realm.js'),
    evaluate: (code) => runInContext(code, context, { filename: 'evaluate.js' }),
    launch: (url) => runtime.launch(url),
    getApp: () => runtime.app.getApp(),
    getCurrentPages: runtime.router.getCurrentPages,
    close: () => {
      phone.destroy()
      kept.stopListening()
    },
    controls: {
      goBackground: () => phone.goBackground(),
      goForeground: () => phone.goForeground(),
      setNetwork: (type) => phone.setNetwork(type),
      failNext: (api, failure, times) => phone.failNext(api, failure, times),
      setClock: (moment) => runtime.setClock(moment),
      advance: (ms) => {
        if (!phone.clock.frozen) runtime.setClock(phone.clock.now())
        return phone.clock.advance(ms)
      },
      setSettings: (settings) => {
        const { limits, domains, ...rest } = settings
        phone.settings = {
          ...phone.settings,
          ...rest,
          limits: { ...phone.settings.limits, ...limits },
          domains: { ...phone.settings.domains, ...domains },
        }
      },
      get state() {
        return phone.state
      },
    },
  }
}
