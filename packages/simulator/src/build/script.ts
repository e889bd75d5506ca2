/** Scripts become CommonJS, and their requires are found. */
import { transform } from 'esbuild'

/**
 * Globals of browsers and Node that mini-programs lack. In the browser build every free use of one is renamed to a name
 * that nothing defines: `typeof` says "undefined" and a use throws a ReferenceError, as on a device. (Shadowing them with
 * undefined would turn the ReferenceError into something else, and code that depends on it would behave differently.)
 */
export const ABSENT_GLOBALS = [
  'window',
  'self',
  'document',
  'navigator',
  'location',
  'history',
  'screen',
  'frames',
  'parent',
  'top',
  'localStorage',
  'sessionStorage',
  'indexedDB',
  'caches',
  'fetch',
  'XMLHttpRequest',
  'WebSocket',
  'EventSource',
  'Worker',
  'Blob',
  'File',
  'FileReader',
  'FormData',
  'Headers',
  'Request',
  'Response',
  'URL',
  'URLSearchParams',
  'AbortController',
  'AbortSignal',
  'TextEncoder',
  'TextDecoder',
  'ReadableStream',
  'WritableStream',
  'TransformStream',
  'Event',
  'EventTarget',
  'CustomEvent',
  'MessageChannel',
  'BroadcastChannel',
  'MutationObserver',
  'IntersectionObserver',
  'ResizeObserver',
  'performance',
  'crypto',
  'atob',
  'btoa',
  'structuredClone',
  'queueMicrotask',
  'requestAnimationFrame',
  'cancelAnimationFrame',
  'requestIdleCallback',
  'setImmediate',
  'process',
  'Buffer',
  '__dirname',
  '__filename',
  'Element',
  'HTMLElement',
  'Node',
  'Image',
  'Audio',
  'DOMParser',
  'getComputedStyle',
  'matchMedia',
  'alert',
  'confirm',
  'prompt',
  'WebAssembly',
  'Notification',
  'postMessage',
  'customElements',
  'CSS',
  'DOMException',
  'origin',
] as const

const renamed = Object.fromEntries(ABSENT_GLOBALS.map((name) => [name, `absent_${name}`]))

export interface CompiledScript {
  readonly code: string
  readonly requests: readonly string[]
}

export interface ScriptOptions {
  readonly path: string
  readonly typescript: boolean
  /** Rename the globals that the page has and a device has not. */
  readonly hideGlobals: boolean
}

/** Compiles one script. Throws esbuild's failure when it does not parse. */
export async function compileScript(source: string, options: ScriptOptions): Promise<CompiledScript> {
  const { code } = await transform(source, {
    loader: options.typescript ? 'ts' : 'js',
    format: 'cjs',
    target: 'es2022',
    sourcefile: options.path,
    ...(options.hideGlobals ? { define: renamed } : {}),
    logLevel: 'silent',
  })
  return { code, requests: findRequires(code) }
}

/** The string arguments of `require(...)`. One in a comment is harmless: it only makes a module available. */
export function findRequires(code: string): string[] {
  const found = new Set<string>()
  for (const match of code.matchAll(/\brequire(?:\.async)?\(\s*(["'`])([^"'`\n]+)\1\s*\)/g)) found.add(match[2] ?? '')
  return [...found]
}
