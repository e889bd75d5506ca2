/** An example's project, copied aside with its keys filled in, and shown by the simulator: what a person does by hand. */
import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Simulator, startSimulator } from '../../packages/simulator/src/serve/server.ts'
import { repository, runTeahouse, type StartReport, temporaryFolder } from './server.ts'

export interface RunningExample {
  readonly url: string
  stop(): Promise<void>
}

/** Applies the example's migrations to the server, fills in `lib/supabase.js`, and serves the project. */
export const startExample = async (name: string, report: StartReport): Promise<RunningExample> => {
  const source = join(repository, 'examples', name)
  await applyMigrations(source, report)
  const folder = await temporaryFolder()
  const project = join(folder.path, name)
  await cp(source, project, { recursive: true, filter: (path) => !path.includes('node_modules') })
  await symlink(join(repository, 'node_modules'), join(folder.path, 'node_modules'))
  await fillIn(join(project, 'lib', 'supabase.js'), { url: report.url, key: report.anonKey })
  const simulator: Simulator = await startSimulator({
    dir: project,
    onProblem: (text) => process.stderr.write(`${text}\n`),
  })
  const stop = async () => {
    await simulator.stop()
    await folder.remove()
  }
  return { url: simulator.url, stop }
}

const applyMigrations = async (project: string, report: StartReport): Promise<void> => {
  const ran = await runTeahouse(['migrate', project, '--database-url', report.databaseUrl])
  if (ran.code !== 0) throw new Error(`migrate failed: ${ran.stderr}`)
}

/** Puts values between the quotes of `const name = ""`. */
const fillIn = async (path: string, values: Readonly<Record<string, string>>): Promise<void> => {
  let text = await readFile(path, 'utf8')
  for (const [name, value] of Object.entries(values)) {
    text = text.replace(`const ${name} = ""`, `const ${name} = ${JSON.stringify(value)}`)
  }
  await writeFile(path, text)
}
