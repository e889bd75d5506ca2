/** Bundles what runs inside a realm into one script, once a process. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** The path of one of our own modules: TypeScript when run from source, JavaScript when built. */
export function ownModule(relative: string, from: string): string {
  const source = fileURLToPath(new URL(`${relative}.ts`, from))
  return existsSync(source) ? source : fileURLToPath(new URL(`${relative}.js`, from))
}

/** A script whose value is an object with `boot`. */
export async function insideScript(): Promise<string> {
  const result = await build({
    entryPoints: [ownModule('./inside/main', import.meta.url)],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: '__inside',
    platform: 'neutral',
    target: 'es2022',
    logLevel: 'silent',
  })
  return `${result.outputFiles[0]?.text ?? ''}\n;__inside`
}
