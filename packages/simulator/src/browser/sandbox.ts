/** The globals of the app in a page: the language, wx and its companions; everything else of the page is out of reach. */

import type { ModuleSource } from '../framework/loader.ts'
import type { AppGlobals } from '../framework/runtime.ts'
import type { Phone } from '../wx/phone.ts'
import { createDate } from '../wx/timers.ts'

const LANGUAGE = [
  'Object',
  'Array',
  'String',
  'Number',
  'Boolean',
  'Symbol',
  'BigInt',
  'Math',
  'JSON',
  'RegExp',
  'Error',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
  'AggregateError',
  'Promise',
  'Proxy',
  'Reflect',
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'WeakRef',
  'FinalizationRegistry',
  'ArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'Intl',
  'Iterator',
  'parseInt',
  'parseFloat',
  'isNaN',
  'isFinite',
  'encodeURIComponent',
  'decodeURIComponent',
  'encodeURI',
  'decodeURI',
  'escape',
  'unescape',
  'NaN',
  'Infinity',
  'undefined',
] as const

/** `new Function` gives a function that does nothing, as on a device; `instanceof Function` works. */
function inertFunction(warn: (text: string) => void): object {
  const inert = () => {
    warn('new Function() and eval() do not work in a mini-program')
    return () => undefined
  }
  return new Proxy(Function, { apply: inert, construct: inert })
}

/** Given the environment, the module's own function. */
export type ModuleMaker = (environment: object) => (require: unknown, module: unknown, exports: unknown) => void

/** Makes modules runnable with the given globals. `globals` may still grow. */
export function createSource(
  modules: Readonly<Record<string, ModuleMaker>>,
  globals: () => AppGlobals,
  phone: Phone,
): ModuleSource {
  const environment = createEnvironment(globals, phone)
  return {
    has: (path) => Object.hasOwn(modules, path),
    run: (path, require, module) => {
      const run = modules[path]?.(environment)
      if (run) Reflect.apply(run, undefined, [require, module, module.exports])
    },
  }
}

function createEnvironment(globals: () => AppGlobals, phone: Phone): object {
  const page = globalThis as unknown as Record<string, unknown>
  const language = new Map<PropertyKey, unknown>(LANGUAGE.map((name) => [name, page[name]]))
  const own: Record<string, unknown> = {}
  language.set(
    'Function',
    inertFunction((text) => phone.host.log('warn', text)),
  )
  language.set('console', console)
  language.set('global', own)
  language.set('globalThis', own)
  const date = createDate(phone.clock)
  const read = (key: PropertyKey): unknown => {
    if (key === 'Date') return phone.clock.frozen ? date : Date
    if (language.has(key)) return language.get(key)
    return typeof key === 'string' ? globals()[key] : undefined
  }
  return new Proxy(own, {
    // Names made up by the build for absent globals must be looked for outside, where nothing defines them.
    has: (_, key) => !(typeof key === 'string' && key.startsWith('absent_')),
    get: (_, key) => (key === Symbol.unscopables ? undefined : read(key)),
    set: (_, key) => {
      throw new ReferenceError(`${String(key)} is not defined`)
    },
  })
}
