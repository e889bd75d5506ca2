/** FileSystemManager: encodings, ranges, places and words. */
import { expect, test } from 'vitest'
import { fakeHost } from '../testing/fake-host.ts'
import { createCore } from './create.ts'

type Sync = (...args: unknown[]) => unknown

function start(limit = 1000) {
  const core = createCore(fakeHost(), { limits: { userFilesBytes: limit } })
  const manager = (core.wx['getFileSystemManager'] as () => Record<string, Sync>)()
  const root = (core.wx['env'] as { USER_DATA_PATH: string }).USER_DATA_PATH
  const sync = (name: string, ...args: unknown[]) => manager[`${name}Sync`]?.(...args)
  return { ...core, manager, root, sync }
}

test('text and bytes in every encoding', () => {
  const { sync, root } = start()
  sync('writeFile', `${root}/a.txt`, '茶', 'utf8')
  expect(sync('readFile', `${root}/a.txt`)).toEqual(Uint8Array.of(0xe8, 0x8c, 0xb6).buffer)
  expect(sync('readFile', `${root}/a.txt`, 'base64')).toBe('6Iy2')
  expect(sync('readFile', `${root}/a.txt`, 'hex')).toBe('e88cb6')
  sync('writeFile', `${root}/a.txt`, '6Iy2', 'base64')
  sync('appendFile', `${root}/a.txt`, '馆')
  expect(sync('readFile', `${root}/a.txt`, 'utf-8')).toBe('茶馆')
  expect(sync('readFile', `${root}/a.txt`, 'utf8', 3, 3)).toBe('馆')
  expect(() => sync('readFile', `${root}/a.txt`, 'utf8', 7)).toThrow(
    'readFileSync:fail the value of "position" is out of range',
  )
  expect(() => sync('readFile', `${root}/a.txt`, 'klingon')).toThrow('readFileSync:fail invalid encoding "klingon"')
})

test('folders, listing, moving and removing', () => {
  const { sync, root } = start()
  expect(() => sync('writeFile', `${root}/a/b.txt`, '1')).toThrow(
    `writeFileSync:fail no such file or directory, open "${root}/a/b.txt"`,
  )
  sync('mkdir', `${root}/a/c`, true)
  sync('writeFile', `${root}/a/b.txt`, '1')
  expect(sync('readdir', `${root}/a`)).toEqual(['b.txt', 'c'])
  expect(() => sync('mkdir', `${root}/a`)).toThrow('mkdirSync:fail file already exists')
  sync('rename', `${root}/a/b.txt`, `${root}/b.txt`)
  sync('copyFile', `${root}/b.txt`, `${root}/a/d.txt`)
  const stats = sync('stat', `${root}/b.txt`) as { size: number; isFile(): boolean }
  expect([stats.size, stats.isFile()]).toEqual([1, true])
  expect(() => sync('rmdir', `${root}/a`)).toThrow('rmdirSync:fail directory not empty')
  sync('rmdir', `${root}/a`, true)
  sync('unlink', `${root}/b.txt`)
  expect(sync('readdir', root)).toEqual([])
  expect(() => sync('access', `${root}/b.txt`)).toThrow(`accessSync:fail no such file or directory ${root}/b.txt`)
})

test('only user data can be written; the package can be read', () => {
  const { sync } = start()
  expect(sync('readFile', '/app.json', 'utf8')).toBe('{}')
  expect(() => sync('writeFile', '/app.json', 'x')).toThrow('writeFileSync:fail permission denied, open "/app.json"')
  expect(() => sync('writeFile', 'http://usr/../../app.json', 'x')).not.toThrow()
  expect(sync('readdir', 'http://usr')).toEqual(['app.json'])
})

test('the quota of user files', () => {
  const { sync, root } = start(10)
  sync('writeFile', `${root}/a`, '12345678')
  expect(() => sync('writeFile', `${root}/b`, '123')).toThrow(
    'writeFileSync:fail the maximum size of the file storage limit is exceeded',
  )
})

test('a temporary file is saved, and then is where it was saved', async () => {
  const { manager, files, root } = start()
  const temporary = files.addTemporary(Uint8Array.of(1), 'png')
  const save = manager['saveFile'] as (options: object) => Promise<{ savedFilePath: string }>
  const { savedFilePath } = await save({ tempFilePath: temporary, filePath: `${root}/kept.png` })
  expect(savedFilePath).toBe(`${root}/kept.png`)
  expect(files.exists(temporary)).toBe(false)
  await expect(save({ tempFilePath: temporary })).rejects.toEqual({
    errMsg: 'saveFile:fail tempFilePath file not exist',
  })
})
