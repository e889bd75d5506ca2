/** `cloud://` ids. They name an environment, a bucket and a path; the environment is whichever the app was written for, since there is one here. */
import type { Address } from '../../files/types.ts'
import { CloudError } from './errors.ts'

/** The bucket that paths without one lie in. */
export const CLOUD_BUCKET = 'cloud'

const FILE_ID = /^cloud:\/\/([\w-]{1,64})(?:\.([^/]{1,100}))?\/(.+)$/s

/** Ids end where a URL would say something else. */
export const fileIdOf = (env: string, { bucketId, name }: Address): string => `cloud://${env}.${bucketId}/${name}`

/**
 * The object that an id names; null for what is no id. A bucket of Tencent's (their names end with the number of the account) is ours of the
 * same purpose: ids that an imported database holds stay good.
 */
export const parseFileId = (text: string): Address | null => {
  const [, , bucket, name] = FILE_ID.exec(text) ?? []
  if (name === undefined) return null
  const foreign = bucket === undefined || /-\d{8,12}$/.test(bucket)
  return { bucketId: foreign ? CLOUD_BUCKET : bucket, name: name.split('?')[0] ?? name }
}

/** A path that an app chose. */
export const addressOfPath = (path: unknown): Address => {
  if (typeof path !== 'string' || path === '') throw new CloudError('INVALID_PARAM', 'cloudPath must be a text')
  return { bucketId: CLOUD_BUCKET, name: path.replace(/^\/+/, '') }
}
