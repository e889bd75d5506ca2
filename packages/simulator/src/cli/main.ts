/** The command: `teahouse-simulator DIR --port N [--host H] [--wechat URL] [--json]`. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startSimulator } from '../serve/server.ts'

const USAGE = `usage: teahouse-simulator DIR [--port N] [--host H] [--wechat URL] [--appid ID] [--json] [--check-domains] [--no-watch]

  DIR              a mini-program project: the folder of project.config.json or app.json
  --port N         default: a free port
  --host H         default: 127.0.0.1
  --wechat URL     a WeChat sandbox, where wx.login and phone numbers get their codes
  --appid ID       the mini-program; default: the project's own, and at the sandbox its first
  --json           print one line of JSON with the url, and nothing else, on stdout
  --check-domains  refuse network calls to domains that are not configured, as a released app does
  --no-watch       do not reload when files change
`

/** Runs the command; resolves with the exit code when it ends. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      wechat: { type: 'string' },
      appid: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
      'check-domains': { type: 'boolean' },
      'no-watch': { type: 'boolean' },
    },
  })
  const dir = positionals[0]
  if (values.help || dir === undefined) {
    process.stderr.write(USAGE)
    return values.help ? 0 : 2
  }
  if (!existsSync(join(resolve(dir), 'project.config.json')) && !existsSync(join(resolve(dir), 'app.json'))) {
    process.stderr.write(`${dir}: neither project.config.json nor app.json is here\n`)
    return 2
  }
  if (values.wechat !== undefined && !URL.canParse(values.wechat)) {
    process.stderr.write(`--wechat should be the address of a WeChat sandbox, not ${values.wechat}\n`)
    return 2
  }
  const appId = values.appid === undefined ? {} : { appId: values.appid }
  const simulator = await startSimulator({
    dir,
    port: Number(values.port ?? 0),
    host: values.host ?? '127.0.0.1',
    watch: values['no-watch'] !== true,
    settings: { checkDomains: values['check-domains'] === true, ...appId },
    ...(values.wechat === undefined ? {} : { wechat: { url: values.wechat, ...appId } }),
    onProblem: (text) => process.stderr.write(`${text}\n`),
  })
  const line = values.json ? JSON.stringify({ url: simulator.url }) : `Simulator: ${simulator.url}`
  process.stdout.write(`${line}\n`)
  await new Promise<void>((done) => {
    process.once('SIGTERM', () => done())
    process.once('SIGINT', () => done())
  })
  await simulator.stop()
  return 0
}
