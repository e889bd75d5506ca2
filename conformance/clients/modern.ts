/** A supabase-js client as a platform for the checks; also the whole of a child process that runs them in another Node: `run <package> <url> <anon key>`. */
import { runChecks } from './checks.ts'
import { closeAll, type Loose, type Platform, type Result } from './tools.ts'

export interface Target {
  readonly url: string
  readonly anonKey: string
  /** A WebSocket for a Node that has none. */
  readonly transport?: unknown
}

/** Runs the checks with a `createClient`. */
export const checkModern = async (createClient: Loose, target: Target): Promise<readonly Result[]> => {
  const opened: Loose[] = []
  const platform: Platform = {
    wx: false,
    close: () => closeAll(opened),
    file: (text) => new Blob([text], { type: 'text/plain' }),
    open: () => {
      const client = createClient(target.url, target.anonKey, {
        auth: { persistSession: false, autoRefreshToken: false },
        ...(target.transport === undefined ? {} : { realtime: { transport: target.transport } }),
      })
      opened.push(client)
      return client
    },
  }
  return runChecks(platform)
}

const [, script = '', name, url = '', anonKey = ''] = process.argv
if (script.endsWith('clients/modern.ts') && name !== undefined) {
  const { createClient } = await import(name)
  process.stdout.write(JSON.stringify(await checkModern(createClient, { url, anonKey })))
  process.exit(0)
}
