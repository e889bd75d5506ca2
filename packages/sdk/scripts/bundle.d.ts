/** Sizes that a test holds the files to, bytes. */
export const budgets: Readonly<Record<string, number>>

export interface BundleOptions {
  /** The module of supabase-js to bundle; default: the one this package depends on. */
  readonly supabase?: string
}

/** The files as text, by name. */
export function bundles(options?: BundleOptions): Promise<Readonly<Record<string, string>>>

/** Writes them; answers their sizes. Default folder: dist/miniprogram. */
export function buildSdk(
  options?: BundleOptions & { readonly outDir?: string },
): Promise<Readonly<Record<string, number>>>
