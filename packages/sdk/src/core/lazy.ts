/** The files that are loaded when something in them is first used: a mini-program's `require` is synchronous, and each file a module of its own. */

declare const require: (name: string) => unknown

/** Replaced in tests, which run from the sources. */
export const lazy = {
  // The names are those that bundle.js writes, the types those of the files' entries.
  _extras: () => require('./extras.js') as typeof import('../extras.ts'),
  _files: () => require('./files.js') as typeof import('../files.ts'),
  _realtime: () => require('./realtime.js') as typeof import('../realtime.ts'),
}
