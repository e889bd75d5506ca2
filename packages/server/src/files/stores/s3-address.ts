/** Where an S3 store is, in one line: `s3://key:secret@host:port/bucket/prefix?region=…&pathStyle=…&tls=…`. Pure. */

export interface S3Address {
  readonly endpoint: string
  readonly bucket: string
  /** Of all keys; empty, or with a slash at its end. */
  readonly prefix: string
  readonly region: string
  /** Whether the bucket is in the path instead of the host name. */
  readonly pathStyle: boolean
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

const FLAGS: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false }

/** Null for anything that is not such a line. */
export const parseS3Address = (text: string): S3Address | null => {
  if (!/^s3:\/\//.test(text) || !URL.canParse(text)) return null
  // A scheme that URL knows: for others it neither checks the host nor decodes anything.
  const url = new URL(text.replace(/^s3:/, 'https:'))
  const unknown = [...url.searchParams.keys()].some((key) => !['region', 'pathStyle', 'tls'].includes(key))
  const pathStyle = FLAGS[url.searchParams.get('pathStyle') ?? 'true']
  const tls = FLAGS[url.searchParams.get('tls') ?? 'true']
  const [bucket = '', ...folders] = decoded(url.pathname)
    .split('/')
    .filter((part) => part !== '')
  const accessKeyId = decoded(url.username)
  const secretAccessKey = decoded(url.password)
  if (unknown || pathStyle === undefined || tls === undefined) return null
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || accessKeyId === '' || secretAccessKey === '') return null
  return {
    endpoint: `${tls ? 'https' : 'http'}://${url.host}`,
    bucket,
    prefix: folders.map((folder) => `${folder}/`).join(''),
    region: url.searchParams.get('region') || 'us-east-1',
    pathStyle,
    accessKeyId,
    secretAccessKey,
  }
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
