/** Keys in the code of mini-programs, found; keys elsewhere, and harmless ones, left alone. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { deriveKeys } from '../identity/keys.ts'
import { inspectClientCode } from './inspect-client-code.ts'

let project: string
beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'teahouse-client-'))
})
afterEach(() => rm(project, { recursive: true, force: true }))

const write = async (path: string, text: string) => {
  await mkdir(dirname(join(project, path)), { recursive: true })
  await writeFile(join(project, path), text)
}
const named = async (secrets: Readonly<Record<string, string>> = {}) =>
  (await inspectClientCode({ project, secrets })).map(({ what, severity }) => `${severity}: ${what.split(':')[0]}`)

describe('a mini-program', () => {
  it('is found out when it holds a key of servers, in whatever form', async () => {
    const { serviceKey, secretKey, anonKey, publishableKey, jwtSecret } = await deriveKeys(
      'a secret of some length, for a test',
    )
    await write('shop/app.json', '{"pages":[]}')
    await write('shop/app.js', `App({})`)
    await write('shop/lib/good.js', `createClient('http://x', '${anonKey}'); const p = '${publishableKey}'`)
    await write('shop/lib/jwt.js', `createClient('http://x', '${serviceKey}')`)
    await write('shop/pages/a/a.wxml', `<view data-key="${secretKey}"/>`)
    await write('shop/config.ts', `export const secret = '${jwtSecret}'`)
    await write('shop/wechat.json', '{"appsecret":"0123456789abcdef"}')
    expect(
      (await named({ 'the JWT secret': jwtSecret, 'the AppSecret': '0123456789abcdef', nothing: '' })).sort(),
    ).toEqual([
      'problem: shop/config.ts holds the JWT secret',
      'problem: shop/lib/jwt.js holds a service key',
      'problem: shop/pages/a/a.wxml holds a secret key',
      'problem: shop/wechat.json holds the AppSecret',
    ])
  })

  it('is not what servers, packages and plain folders are', async () => {
    const { secretKey } = await deriveKeys('a secret of some length, for a test')
    await write('server/index.js', `const key = '${secretKey}'`)
    await write('mini/project.config.json', '{}')
    await write('mini/node_modules/x/index.js', secretKey)
    await write('mini/.env.js', 'fine')
    await write('mini/notes.md', secretKey)
    expect(await named()).toEqual([])
    expect(await inspectClientCode({ project: join(project, 'none'), secrets: {} })).toEqual([])
  })
})
