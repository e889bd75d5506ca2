/** Reads a project: where its files are, its app.json, its settings. Paths come out absolute within the mini-program. */
import { existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { ComponentConfig, TabBarConfig, WindowConfig } from '../framework/bundle.ts'
import { ProjectFiles } from './files.ts'
import { NpmMounts } from './npm.ts'
import { Problems } from './problems.ts'

/** The parts of app.json that are used. */
export interface AppJson {
  readonly pages?: readonly string[]
  readonly entryPagePath?: string
  readonly window?: WindowConfig
  readonly tabBar?: TabBarConfig
  readonly usingComponents?: Readonly<Record<string, string>>
  readonly subpackages?: readonly SubPackage[]
  readonly subPackages?: readonly SubPackage[]
  readonly networkTimeout?: Readonly<Record<string, number>>
  readonly componentFramework?: string
  readonly renderer?: string
  readonly style?: string
}

interface SubPackage {
  readonly root: string
  readonly pages: readonly string[]
}

interface ProjectConfig {
  readonly appid?: string
  readonly projectname?: string
  readonly miniprogramRoot?: string
  readonly srcMiniprogramRoot?: string
  readonly setting?: { readonly packNpmRelationList?: readonly { readonly packageJsonPath?: string }[] }
}

export interface Project {
  readonly dir: string
  readonly files: ProjectFiles
  readonly problems: Problems
  readonly appJson: AppJson
  readonly appId: string
  readonly name: string
}

/** A component's JSON as written. */
export type RawComponentJson = Partial<ComponentConfig>

/** Parses a JSON file whose fields are all optional; what is wrong with it becomes a problem, not an exception. */
export function readJson<T extends object>(text: string | null, file: string, problems: Problems): Partial<T> {
  if (text === null) return {}
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ''))
    // The project's own configuration: fields are used as documented and nothing breaks worse than on a phone.
    return typeof value === 'object' && value !== null ? (value as Partial<T>) : {}
  } catch (error) {
    problems.error(file, `invalid JSON: ${error instanceof Error ? error.message : String(error)}`)
    return {}
  }
}

const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : null)

/** Opens the project in a folder: one with project.config.json, or one with app.json. */
export function openProject(folder: string): Project {
  const dir = resolve(folder)
  const problems = new Problems()
  const config = {
    ...readJson<ProjectConfig>(textOf(join(dir, 'project.config.json')), 'project.config.json', problems),
    ...readJson<ProjectConfig>(
      textOf(join(dir, 'project.private.config.json')),
      'project.private.config.json',
      problems,
    ),
  }
  const root = resolve(dir, config.miniprogramRoot ?? config.srcMiniprogramRoot ?? '')
  const relation = config.setting?.packNpmRelationList?.[0]?.packageJsonPath
  const manifests = [...(relation ? [resolve(dir, relation, '..')] : []), root, dir]
  const manifestDir = manifests.find((at) => existsSync(join(at, 'package.json'))) ?? null
  const files = new ProjectFiles(root, new NpmMounts(manifestDir, problems))
  const appText = files.text('/app.json')
  if (appText === null) problems.error('app.json', 'file not found: is this a mini-program project?')
  return {
    dir,
    files,
    problems,
    appJson: readJson<AppJson>(appText, 'app.json', problems),
    appId: config.appid ?? 'touristappid',
    name: config.projectname ?? basename(dir),
  }
}

/** All pages, those of subpackages with their root. */
export function pagesOf(app: AppJson): string[] {
  const sub = app.subpackages ?? app.subPackages ?? []
  const paths = [...(app.pages ?? []), ...sub.flatMap((one) => one.pages.map((page) => `${one.root}/${page}`))]
  return paths.map((path) => path.split('/').filter(Boolean).join('/'))
}
