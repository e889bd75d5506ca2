/** Page paths as the server API knows them. */
import type { AppSettings } from '../settings.ts'

/** `pages/index/index`: no leading slash, no query, and published when the app says what it published. */
export const isPage = (app: AppSettings, path: string): boolean =>
  /^[\w-]+(\/[\w-]+)*$/.test(path) && (app.pages === null || app.pages.includes(path))
