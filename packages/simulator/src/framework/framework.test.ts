/** The module loader, setData paths, page targets and event channels. */
import { describe, expect, test } from 'vitest'
import { EventChannel } from './event-channel.ts'
import { candidates, Loader } from './loader.ts'
import { parseTarget } from './router.ts'
import { assignPath, cloneUpdates, parsePath } from './set-data.ts'

describe('loader', () => {
  const loaderOf = (
    modules: Record<string, (require: (request: string) => unknown, module: { exports: unknown }) => void>,
  ) => new Loader({ has: (path) => path in modules, run: (path, require, module) => modules[path]?.(require, module) })

  test('looks where the platform looks', () => {
    expect(candidates('/pages/a/a.js', '../b')).toEqual(['/pages/b.js', '/pages/b/index.js'])
    expect(candidates('/pages/a.js', 'x')).toEqual([
      '/pages/miniprogram_npm/x.js',
      '/pages/miniprogram_npm/x/index.js',
      '/miniprogram_npm/x.js',
      '/miniprogram_npm/x/index.js',
      '/pages/x.js',
      '/pages/x/index.js',
    ])
  })

  test('runs a module once, and gives a circle what there is so far', () => {
    let runs = 0
    const loader = loaderOf({
      '/a.js': (require, module) => {
        runs++
        module.exports = { b: require('./b') }
      },
      '/b.js': (require, module) => {
        module.exports = { a: require('/a'), again: require('./a.js') }
      },
    })
    expect(loader.load('/a.js')).toEqual({ b: { a: {}, again: {} } })
    loader.load('/a.js')
    expect(runs).toBe(1)
  })

  test('a missing module is named as the platform names it', () => {
    const loader = loaderOf({ '/pages/a.js': (require) => require('../lib/none') })
    expect(() => loader.load('/pages/a.js')).toThrow(
      "module 'lib/none.js' is not defined, require args is '../lib/none'",
    )
  })
})

describe('setData', () => {
  test('paths reach into objects and lists, and make what is missing', () => {
    const data = { list: [{ a: 1 }], text: 'x' }
    assignPath(data, parsePath('list[0].a'), 2)
    assignPath(data, parsePath('list[2].b.c'), 3)
    assignPath(data, parsePath('text.deep'), 4)
    assignPath(data, parsePath('with\\.dot'), 5)
    expect(data).toEqual({ list: [{ a: 2 }, undefined, { b: { c: 3 } }], text: { deep: 4 }, 'with.dot': 5 })
    expect(() => parsePath('a[x]')).toThrow('[Component] data path "a[x]" is illegal')
  })

  test('values travel as JSON', () => {
    const warnings: string[] = []
    const shared = { n: Number.NaN, f: () => 1, d: new Date(0) }
    const updates = cloneUpdates({ shared, gone: undefined, run: () => 1 }, (text) => warnings.push(text))
    expect(updates).toEqual({ shared: { n: null, d: '1970-01-01T00:00:00.000Z' } })
    expect(warnings).toEqual([
      'Setting data field "gone" to undefined is invalid.',
      'Setting data field "run" to function is invalid.',
    ])
  })
})

test('targets are relative or absolute, and queries stay encoded', () => {
  expect(parseTarget('../b/b?x=%E8%8C%B6&y&z=1=2', 'pages/a/a')).toEqual({
    route: 'pages/b/b',
    query: { x: '%E8%8C%B6', y: '', z: '1=2' },
  })
  expect(parseTarget('/pages/c/c', 'pages/a/a').route).toBe('pages/c/c')
})

test('an event channel carries from one end to the other', () => {
  const [one, other] = EventChannel.pair()
  const heard: unknown[] = []
  const listener = (...args: unknown[]) => heard.push(args)
  other.on('a', listener)
  other.once('b', listener)
  one.emit('a', 1, 2)
  one.emit('b', 3)
  one.emit('b', 4)
  other.off('a', listener)
  one.emit('a', 5)
  expect(heard).toEqual([[1, 2], [3]])
})
