import { describe, expect, it } from 'vitest'
import { parseS3Address } from './s3-address.ts'

describe('the address of an S3 store', () => {
  it('has everything in one line', () => {
    expect(
      parseS3Address('s3://key:se%2Fcret@127.0.0.1:9000/files/of/tea?region=eu-1&pathStyle=false&tls=false'),
    ).toEqual({
      endpoint: 'http://127.0.0.1:9000',
      bucket: 'files',
      prefix: 'of/tea/',
      region: 'eu-1',
      pathStyle: false,
      accessKeyId: 'key',
      secretAccessKey: 'se/cret',
    })
    expect(parseS3Address('s3://k:s@s3.example.com/files')).toMatchObject({
      endpoint: 'https://s3.example.com',
      prefix: '',
      region: 'us-east-1',
      pathStyle: true,
    })
  })

  it.each([
    '',
    'https://k:s@h/b',
    's3://h/bucket',
    's3://k@h/bucket',
    's3://k:s@h',
    's3://k:s@h/A_B',
    's3://k:s@h/bucket?tls=maybe',
    's3://k:s@h/bucket?other=1',
    's3://k:%ff@h/bucket',
  ])('is not %j', (text) => {
    expect(parseS3Address(text)).toBeNull()
  })
})
