/** A function's folder as one archive: packed where it is deployed, unpacked on every node that runs it. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { create, extract } from 'tar'
import { AppError } from '../kernel/errors.ts'
import { isObject, parseJson } from '../kernel/json.ts'
import { FUNCTION_NAME, type FunctionConfig, readFunctionConfig } from './config.ts'

export interface Bundle {
  readonly name: string
  readonly bytes: Buffer
  /** SHA-256 of names and contents, hex. */
  readonly digest: string
  readonly config: FunctionConfig
}

const MAX_BYTES = 64 * 1024 * 1024
const MAX_FILES = 30_000
const LEFT_OUT = new Set(['.git', '.DS_Store', '.svn'])
const INSTALL_MS = 300_000

/** Packs one function. Installs the dependencies of its package.json, without running their scripts, unless they are there. */
export const packFunction = async (folder: string, name = basename(folder)): Promise<Bundle> => {
  if (!FUNCTION_NAME.test(name)) {
    throw new AppError(
      'bad_request',
      `"${name}" is no name of a function: letters, digits, - and _, beginning with a letter`,
    )
  }
  const config = readFunctionConfig(name, await textOf(folder, 'config.json'), await textOf(folder, 'package.json'))
  if ((await textOf(folder, config.entry)) === null) {
    throw new AppError('not_found', `${name} has no ${config.entry}`)
  }
  return (await wantsInstall(folder)) ? packInstalled(folder, name, config) : pack(folder, name, config)
}

/** The functions of a folder: itself when it holds code, else each of its folders that does. */
export const findFunctions = async (folder: string): Promise<readonly string[]> => {
  if (await isFunction(folder)) return [folder]
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new AppError('not_found', `${folder} cannot be read (${cause.code})`, { cause })
  })
  const folders = entries
    .filter((each) => each.isDirectory() && FUNCTION_NAME.test(each.name))
    .map((each) => join(folder, each.name))
  const found = await Promise.all(folders.map(async (each) => ((await isFunction(each)) ? [each] : [])))
  return found.flat().sort()
}

const isFunction = async (folder: string): Promise<boolean> =>
  (await textOf(folder, 'index.js')) !== null ||
  (isObject(parseJson((await textOf(folder, 'package.json')) ?? '')) && (await textOf(folder, 'config.json')) !== null)

const textOf = async (folder: string, file: string): Promise<string | null> =>
  readFile(join(folder, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EISDIR') return null
    throw error
  })

const wantsInstall = async (folder: string): Promise<boolean> => {
  const description = parseJson((await textOf(folder, 'package.json')) ?? '')
  if (!isObject(description) || !isObject(description.dependencies)) return false
  const names = Object.keys(description.dependencies)
  const missing = await Promise.all(names.map((each) => isMissing(join(folder, 'node_modules', each))))
  return missing.some(Boolean)
}

const isMissing = async (path: string): Promise<boolean> =>
  lstat(path).then(
    () => false,
    () => true,
  )

/** In a copy: the operator's folder stays as it is. */
const packInstalled = async (folder: string, name: string, config: FunctionConfig): Promise<Bundle> => {
  const copy = await mkdtemp(join(tmpdir(), 'teahouse-deploy-'))
  try {
    await cp(folder, copy, { recursive: true, filter: (from) => !LEFT_OUT.has(basename(from)) })
    await install(copy, name)
    return await pack(copy, name, config)
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

const install = async (cwd: string, name: string): Promise<void> => {
  const args = [
    'install',
    '--omit=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-progress',
    '--prefer-offline',
  ]
  try {
    await promisify(execFile)('npm', args, { cwd, timeout: INSTALL_MS, maxBuffer: 16 * 1024 * 1024 })
  } catch (cause) {
    // execFile's errors carry what was said.
    const { stderr = '' } = cause as { stderr?: string }
    throw new AppError('bad_request', `The dependencies of ${name} could not be installed: ${lastLine(stderr)}`, {
      cause,
    })
  }
}

const lastLine = (text: string): string =>
  text
    .trim()
    .split('\n')
    .filter((line) => /error/i.test(line))
    .slice(0, 3)
    .join(' ')

const pack = async (folder: string, name: string, config: FunctionConfig): Promise<Bundle> => {
  const files = [...(await filesOf(folder, folder))].sort()
  if (files.length > MAX_FILES) throw new AppError('too_large', `${name} has more than ${MAX_FILES} files`)
  const hash = createHash('sha256')
  for (const file of files) {
    const bytes = await readFile(join(folder, file))
    hash.update(`${file}\0${bytes.length}\0`).update(bytes)
  }
  const archive = create(
    { cwd: folder, gzip: true, portable: true, noPax: true, follow: true, noDirRecurse: true },
    files,
  )
  const bytes = await buffer(archive as unknown as AsyncIterable<Buffer>)
  if (bytes.length > MAX_BYTES)
    throw new AppError('too_large', `${name} has ${bytes.length} bytes packed; at most ${MAX_BYTES} are allowed`)
  return { name, bytes, digest: hash.digest('hex'), config }
}

/** Files below `folder`, relative to `root`. A link is followed when it stays inside. */
const filesOf = async (root: string, folder: string): Promise<readonly string[]> => {
  const entries = await readdir(folder, { withFileTypes: true })
  const found = await Promise.all(
    entries.map(async (entry): Promise<readonly string[]> => {
      const path = join(folder, entry.name)
      // npm makes links to programs that functions do not run.
      if (LEFT_OUT.has(entry.name) || entry.name === '.bin') return []
      if (entry.isDirectory()) return filesOf(root, path)
      return entry.isFile() ? [relative(root, path)] : []
    }),
  )
  return found.flat()
}

/** Unpacks into an existing folder. Nothing leaves it: the archive may be older than our rules. */
export const unpackFunction = async (bytes: Buffer, folder: string): Promise<void> => {
  const archive = extract({ cwd: folder, strict: true, preservePaths: false, noMtime: true })
  await new Promise<void>((resolve, reject) => {
    archive.once('error', reject)
    archive.once('close', resolve)
    archive.end(bytes)
  })
}
