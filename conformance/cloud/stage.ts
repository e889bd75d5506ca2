/** A started server with cloud functions and collections, and phones whose `wx.cloud` is ours. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type * as Cloud from '@teahouse/sdk/cloud'
import pg from 'pg'
import { buildSdk } from '../../packages/sdk/scripts/bundle.js'
import { createRealm, type Realm, type RealmOptions } from '../../packages/simulator/src/realm/realm.ts'
import { strictPhone } from '../sdk/checks-app.ts'
import { type StartReport, startServer, type TestServer, teahouseBin, temporaryFolder } from '../support/server.ts'

export type WxCloud = ReturnType<typeof Cloud.connect>

export interface Stage {
  readonly server: TestServer
  readonly report: StartReport
  /** One statement as the owner of the database. */
  sql(text: string): Promise<readonly Record<string, unknown>[]>
  deploy(name: string, files: Readonly<Record<string, string>>): Promise<void>
  /** A phone of a person of the sandbox. */
  phone(user: string, options?: Partial<RealmOptions>): Promise<CloudPhone>
  stop(): Promise<void>
}

export interface CloudPhone {
  readonly realm: Realm
  readonly cloud: WxCloud
}

export const openStage = async (): Promise<Stage> => {
  const [bundle, work] = await Promise.all([temporaryFolder(), temporaryFolder()])
  await buildSdk({ outDir: bundle.path })
  // Logins without WeChat are for SDKs that run outside of it.
  await mkdir(join(work.path, 'supabase'))
  await writeFile(join(work.path, 'supabase', 'config.toml'), '[auth]\nenable_anonymous_sign_ins = true\n')
  const dataDir = join(work.path, 'data')
  const server = await startServer({ args: ['--dev'], cwd: work.path, dataDir })
  const { report } = server
  const owner = new pg.Client({ connectionString: report.databaseUrl })
  await owner.connect()
  const realms: Realm[] = []
  return {
    server,
    report,
    sql: async (text) => (await owner.query(text)).rows,
    async deploy(name, files) {
      const folder = join(work.path, 'functions', name)
      for (const [file, text] of Object.entries(files)) {
        await mkdir(dirname(join(folder, file)), { recursive: true })
        await writeFile(join(folder, file), text)
      }
      await promisify(execFile)(process.execPath, [teahouseBin, 'functions', 'deploy', folder, '--data-dir', dataDir])
    },
    async phone(user, options = {}) {
      const wechat = report.wechatSandboxUrl === null ? {} : { wechat: { url: report.wechatSandboxUrl } }
      const realm = await createRealm({
        baseDir: bundle.path,
        entry: ['./index.js', './cloud.js'],
        user,
        settings: { ...strictPhone, headerCase: 'canonical' },
        ...wechat,
        ...options,
      })
      realms.push(realm)
      // The package's own types, for what the app's module loader answers.
      const { connect } = realm.require('./cloud.js') as typeof Cloud
      const cloud = connect(report.url, { key: report.anonKey })
      cloud.init({ traceUser: true })
      return { realm, cloud }
    },
    async stop() {
      for (const realm of realms) realm.close()
      await owner.end()
      await server.stop()
      await Promise.all([bundle.remove(), work.remove()])
    },
  }
}
