/** The phone of a realm: Node's network, storage and files in memory, and a user who answers as the test says. */
import { readFileSync } from 'node:fs'
import type { ProjectFiles } from '../build/files.ts'
import { nodeNetwork } from '../net/network.ts'
import type { DeviceInfo, Hooks, Host, ModalAnswer, ModalCall, PickedFile, ToastCall } from '../wx/host.ts'
import { imageSize } from './image-size.ts'

/** What the user of a realm does when asked; without an answer dialogs are confirmed and choosers cancelled. */
export interface Answers {
  modal?: (call: ModalCall) => ModalAnswer
  actionSheet?: (items: readonly string[]) => number
  chooseFiles?: (call: { count: number; accept: string }) => readonly Partial<PickedFile>[] | null
}

export interface LogLine {
  readonly level: 'log' | 'warn' | 'error'
  readonly parts: readonly unknown[]
}

export interface NodeHostOptions {
  readonly user: string
  readonly files: ProjectFiles | null
  readonly answers: Answers
  readonly hooks: Partial<Hooks>
  readonly device: Partial<DeviceInfo>
  /** Kept by the caller to start a second realm with the same storage. */
  readonly memory: RealmMemory
  readonly onLog: (line: LogLine) => void
}

/** What outlives a realm: storage and user files. */
export class RealmMemory {
  readonly storage = new Map<string, string>()
  readonly files = new Map<string, Uint8Array>()
}

/** What the app showed. */
export interface Shown {
  readonly toasts: ToastCall[]
  readonly modals: ModalCall[]
  readonly previews: { urls: readonly string[]; current: number }[]
  clipboard: string
}

const DEVICE: DeviceInfo = {
  brand: 'devtools',
  model: 'iPhone 12/13 (Pro)',
  system: 'iOS 17.0',
  platform: 'devtools',
  pixelRatio: 2,
  screenWidth: 375,
  screenHeight: 667,
  windowWidth: 375,
  windowHeight: 603,
  statusBarHeight: 20,
  safeBottom: 0,
  language: 'zh_CN',
  theme: 'light',
}

/** Builds the host of a realm. */
export function createNodeHost(options: NodeHostOptions): { host: Host; shown: Shown } {
  const shown: Shown = { toasts: [], modals: [], previews: [], clipboard: '' }
  const host: Host = {
    network: nodeNetwork,
    persistence: persistence(options),
    ui: ui(shown, options.answers),
    hooks: options.hooks,
    user: options.user,
    now: () => Date.now(),
    setTimeout: (run, delay) => setTimeout(run, delay),
    // The handle is the one given out above.
    clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
    turn: (run) => void setImmediate(run),
    log: (level, ...parts) => options.onLog({ level, parts }),
    device: () => ({ ...DEVICE, ...options.device }),
  }
  return { host, shown }
}

function persistence({ memory, files }: NodeHostOptions): Host['persistence'] {
  return {
    loadStorage: () => [...memory.storage],
    saveStorage: (key, text) => void (text === null ? memory.storage.delete(key) : memory.storage.set(key, text)),
    loadFiles: () => [...memory.files],
    saveFile: (path, bytes) => void (bytes === null ? memory.files.delete(path) : memory.files.set(path, bytes)),
    packageFile: (path) => {
      const file = files?.locate(path.startsWith('/') ? path : `/${path}`)
      return file ? readFileSync(file) : null
    },
  }
}

const DEFAULT_FILE: PickedFile = { name: '', type: '', bytes: new Uint8Array(), width: 0, height: 0, duration: 0 }

function ui(shown: Shown, answers: Answers): Host['ui'] {
  const later = (run: () => void) => void setTimeout(run, 0)
  return {
    showToast: (call) => void shown.toasts.push(call),
    hideToast: () => {},
    showModal: (call, done) => {
      shown.modals.push(call)
      later(() => done(answers.modal?.(call) ?? { confirm: true }))
    },
    showActionSheet: (items, _, done) => later(() => done(answers.actionSheet?.(items) ?? -1)),
    previewImage: (urls, current) => void shown.previews.push({ urls, current }),
    chooseFiles: (call, done) =>
      later(() => {
        const picked = answers.chooseFiles?.(call) ?? null
        done(picked?.map((file) => ({ ...DEFAULT_FILE, ...imageSize(file.bytes), ...file })) ?? null)
      }),
    imageSize: (bytes, done) => later(() => done(imageSize(bytes))),
    compressImage: (_bytes, _quality, _width, done) => later(() => done(null)),
    clipboard: {
      get: () => shown.clipboard,
      set: (text) => {
        shown.clipboard = text
      },
    },
  }
}
