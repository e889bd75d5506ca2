/** Puts wx together over a host. The page functions come from the framework, which knows the page stack. */
import { createAccount, defaultHooks } from './account.ts'
import { optionsOf, stringOf } from './call.ts'
import { createFileSystemManager } from './files.ts'
import type { Hooks, Host } from './host.ts'
import { createMedia } from './media.ts'
import { Phone } from './phone.ts'
import { createRequest } from './request.ts'
import { resolveSettings, type SettingsInput } from './settings.ts'
import { createSockets } from './socket.ts'
import { createStorage } from './storage.ts'
import { createSystem } from './system.ts'
import { TransferGate } from './transfer.ts'
import { createUi } from './ui.ts'
import { createDownload, createUpload } from './upload.ts'
import { VirtualFiles } from './virtual-files.ts'

export type Wx = Record<string, unknown>

/** A phone with its wx object, before any app runs on it. */
export interface Core {
  readonly phone: Phone
  readonly wx: Wx
  readonly files: VirtualFiles
  readonly hooks: Hooks
  readonly storage: ReturnType<typeof createStorage>['storage']
  readonly pageNotFound: ReturnType<typeof createSystem>['pageNotFound']
  readonly keyboard: ReturnType<typeof createSystem>['keyboard']
}

/** Builds the core. */
export function createCore(host: Host, input: SettingsInput = {}): Core {
  const phone = new Phone(host, resolveSettings(input))
  const gate = new TransferGate()
  const files = new VirtualFiles(phone)
  const hooks: Hooks = { ...defaultHooks(phone), ...host.hooks }
  const system = createSystem(phone)
  const storage = createStorage(phone)
  const manager = createFileSystemManager(phone, files)
  const downloadFile = createDownload(phone, gate, files)
  const fetchImage = (url: string, done: (path: string | null) => void) => {
    downloadFile({
      url,
      success: (result: unknown) => done(stringOf(optionsOf(result).tempFilePath) || null),
      fail: () => done(null),
    })
  }
  const wx: Wx = {
    ...system.api,
    ...storage.api,
    ...createAccount(phone, hooks),
    ...createUi(phone),
    ...createMedia(phone, files, fetchImage),
    ...createSockets(phone),
    request: createRequest(phone, gate),
    uploadFile: createUpload(phone, gate, files),
    downloadFile,
    getFileSystemManager: () => manager,
    // The older names of the same functions live on wx itself.
    saveFile: manager.saveFile,
    getFileInfo: manager.getFileInfo,
    getSavedFileList: manager.getSavedFileList,
    removeSavedFile: manager.removeSavedFile,
  }
  wx.canIUse = (name: unknown) => canIUse(wx, stringOf(name))
  return {
    phone,
    wx,
    files,
    hooks,
    storage: storage.storage,
    pageNotFound: system.pageNotFound,
    keyboard: system.keyboard,
  }
}

/** `api`, `api.part...`, or a component name: known when its first part is. */
function canIUse(wx: Wx, name: string): boolean {
  const first = name.split('.', 1)[0] ?? ''
  return first in wx || COMPONENTS.has(first)
}

/** The built-in components, as canIUse knows them. */
export const COMPONENTS: ReadonlySet<string> = new Set([
  'view',
  'text',
  'image',
  'button',
  'input',
  'textarea',
  'form',
  'scroll-view',
  'swiper',
  'swiper-item',
  'navigator',
  'icon',
  'switch',
  'checkbox',
  'checkbox-group',
  'radio',
  'radio-group',
  'label',
  'picker',
  'slider',
  'progress',
  'rich-text',
  'block',
  'cover-view',
  'cover-image',
  'video',
  'root-portal',
])

/** What wx has: an unknown function is undefined, as on a device, and says so once in the console. */
export function strictWx(core: Core): Wx {
  const told = new Set<string>()
  return new Proxy(core.wx, {
    get: (target, key, receiver) => {
      if (typeof key === 'string' && !(key in target) && key !== 'then' && key !== 'toJSON' && !told.has(key)) {
        told.add(key)
        core.phone.host.log('warn', `wx.${key} is not there: the simulator does not know this function`)
      }
      return Reflect.get(target, key, receiver)
    },
  })
}
