/** The scripts a page loads: the runtime (ours, bundled once) and the app (the project, built again when it changes). */
import { build } from 'esbuild'
import type { BuildResult } from '../build/build.ts'
import { ownModule } from '../realm/inside-script.ts'

/** Bundles the browser runtime from our sources or from dist. */
export async function runtimeScript(): Promise<string> {
  const result = await build({
    entryPoints: [ownModule('../browser/main', import.meta.url)],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'silent',
  })
  return result.outputFiles[0]?.text ?? ''
}

/**
 * The project as a script. Modules run in `with ($E)`, so that the only globals they reach are those of the environment
 * object, and inside that in strict mode, as WeChat compiles them.
 */
export function appScript(result: BuildResult): string {
  const modules = [...result.modules].map(
    ([path, code]) =>
      `${JSON.stringify(path)}:function($E){with($E){return function(require,module,exports){"use strict";${code}\n}}}`,
  )
  return [
    '__teahouse_app({',
    `bundle:${JSON.stringify(result.bundle)},`,
    `modules:{${modules.join(',\n')}},`,
    `templates:function(getRegExp,getDate){return ${result.templates}}`,
    '})',
  ].join('\n')
}
