/** `teahouse status`: whether a server runs on this data dir, and where. */
import type { Config } from '../config/config.ts'
import { readRunNote } from '../config/run-file.ts'
import { runningServer, type Terminal } from './context.ts'

export const status = async (config: Config, terminal: Terminal): Promise<void> => {
  if (config.json && (await readRunNote(config.dataDir)) === null) terminal.out(JSON.stringify({ running: false }))
  const { url, databaseUrl, pid } = await runningServer(config)
  if (config.json) {
    terminal.out(JSON.stringify({ running: true, url, databaseUrl, pid }))
    return
  }
  terminal.out(`running   ${url}\ndatabase  ${databaseUrl}\nprocess   ${pid}`)
}
