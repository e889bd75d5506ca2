/** FileSystemManager: every method in its callback and its Sync form over the virtual files. */
import { encodings, isArrayBuffer, toArrayBuffer } from './bytes.ts'
import { asyncApi, flagOf, numberOf, type Options, stringOf, wrongParameter } from './call.ts'
import type { Phone } from './phone.ts'
import { FileRefusal, type FileStat, type VirtualFiles } from './virtual-files.ts'

function codecOf(name: unknown) {
  const codec = encodings.get(String(name).toLowerCase())
  if (!codec) throw new FileRefusal(`invalid encoding "${String(name)}"`)
  return codec
}

function readFile(files: VirtualFiles, options: Options): unknown {
  const bytes = files.read(stringOf(options.filePath))
  const position = numberOf(options.position, 0)
  const length = numberOf(options.length, bytes.length - position)
  if (position < 0 || position > bytes.length) throw new FileRefusal('the value of "position" is out of range')
  if (length < 0 || position + length > bytes.length) throw new FileRefusal('the value of "length" is out of range')
  const slice = bytes.subarray(position, position + length)
  const encoding = options.encoding ?? ''
  return encoding === '' ? toArrayBuffer(slice) : codecOf(encoding).decode(slice)
}

/** The bytes of text or a buffer, as given to writeFile. */
function bytesOf(options: Options): Uint8Array {
  const data = options.data
  if (isArrayBuffer(data)) return new Uint8Array(data.slice(0))
  if (typeof data !== 'string') throw new FileRefusal('data must be a string or ArrayBuffer')
  return codecOf(options.encoding ?? 'utf8').encode(data)
}

/** The Stats object apps get. */
const statsOf = (stat: FileStat) => ({
  mode: stat.mode,
  size: stat.size,
  lastAccessedTime: stat.lastAccessedTime,
  lastModifiedTime: stat.lastModifiedTime,
  isDirectory: () => stat.directory,
  isFile: () => !stat.directory,
})

function stat(files: VirtualFiles, path: string, recursive: boolean): object {
  if (!recursive) return statsOf(files.stat(path))
  return files.statTree(path).map((one) => ({ path: one.path, stats: statsOf(one.stats) }))
}

function access(files: VirtualFiles, path: string): void {
  if (!files.exists(path)) throw new FileRefusal(`no such file or directory ${path}`)
}

interface Method {
  /** The parameters in the order of the Sync form; the first must be a string. */
  readonly parameters: readonly [string, ...string[]]
  /** The name of what is answered, when anything is. */
  readonly answer?: string
  readonly run: (files: VirtualFiles, options: Options, path: string) => unknown
}

const methods: Readonly<Record<string, Method>> = {
  access: { parameters: ['path'], run: (files, _, path) => access(files, path) },
  readFile: { parameters: ['filePath', 'encoding', 'position', 'length'], answer: 'data', run: readFile },
  writeFile: {
    parameters: ['filePath', 'data', 'encoding'],
    run: (files, o, path) => files.write(path, bytesOf(o)),
  },
  appendFile: {
    parameters: ['filePath', 'data', 'encoding'],
    run: (files, o, path) => files.append(path, bytesOf(o)),
  },
  getFileInfo: {
    parameters: ['filePath'],
    answer: 'size',
    run: (files, _, path) => files.read(path).length,
  },
  stat: {
    parameters: ['path', 'recursive'],
    answer: 'stats',
    run: (files, o, path) => stat(files, path, flagOf(o.recursive)),
  },
  unlink: { parameters: ['filePath'], run: (files, _, path) => files.remove(path) },
  mkdir: {
    parameters: ['dirPath', 'recursive'],
    run: (files, o, path) => files.makeDirectory(path, flagOf(o.recursive)),
  },
  rmdir: {
    parameters: ['dirPath', 'recursive'],
    run: (files, o, path) => files.removeDirectory(path, flagOf(o.recursive)),
  },
  readdir: { parameters: ['dirPath'], answer: 'files', run: (files, _, path) => files.list(path) },
  rename: {
    parameters: ['oldPath', 'newPath'],
    run: (files, o, path) => files.rename(path, stringOf(o.newPath)),
  },
  copyFile: {
    parameters: ['srcPath', 'destPath'],
    run: (files, o, path) => files.write(stringOf(o.destPath), files.read(path), 'copyFile'),
  },
  saveFile: {
    parameters: ['tempFilePath', 'filePath'],
    answer: 'savedFilePath',
    run: (files, o, path) => files.saveTemporary(path, stringOf(o.filePath) || null),
  },
}

/** The two forms of one method. */
function forms(name: string, method: Method, phone: Phone, files: VirtualFiles) {
  const first = method.parameters[0]
  const attempt = (options: Options): unknown => {
    const refusal = phone.takeFailure(name)?.reason ?? wrongParameter(options, first, 'String')
    if (refusal) throw new FileRefusal(refusal)
    return method.run(files, options, stringOf(options[first]))
  }
  const async = asyncApi(name, phone, (options, settle) => {
    try {
      const value = attempt(options)
      settle.ok(method.answer ? { [method.answer]: value } : {})
    } catch (error) {
      if (!(error instanceof FileRefusal)) throw error
      settle.fail(error.message)
    }
  })
  const sync = (...args: unknown[]): unknown => {
    const options = Object.fromEntries(method.parameters.map((parameter, at) => [parameter, args[at]]))
    try {
      return attempt(options)
    } catch (error) {
      if (!(error instanceof FileRefusal)) throw error
      throw new Error(`${name}Sync:fail ${error.message}`)
    }
  }
  return { [name]: async, [`${name}Sync`]: sync }
}

/** Builds what wx.getFileSystemManager returns. */
export function createFileSystemManager(phone: Phone, files: VirtualFiles): Record<string, unknown> {
  const manager: Record<string, unknown> = {}
  for (const [name, method] of Object.entries(methods)) Object.assign(manager, forms(name, method, phone, files))
  manager.getSavedFileList = asyncApi('getSavedFileList', phone, (_, settle) =>
    settle.ok({ fileList: files.savedFiles() }),
  )
  manager.removeSavedFile = asyncApi('removeSavedFile', phone, (options, settle) => {
    try {
      files.remove(stringOf(options.filePath))
      settle.ok()
    } catch (error) {
      if (!(error instanceof FileRefusal)) throw error
      settle.fail('file not exist')
    }
  })
  return manager
}
