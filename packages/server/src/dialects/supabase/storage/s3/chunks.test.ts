import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { reasonOf } from '../../../../files/errors.ts'
import { unframed } from './chunks.ts'
import { type Signing, signingOf } from './signature.ts'

const RUNS = process.env.TEAHOUSE_SOAK === '1' ? 3000 : 100

/** The example in AWS's documentation of signed chunks. */
const example = (signature: string): Signing =>
  signingOf('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    date: '20130524T000000Z',
    scope: '20130524/us-east-1/s3/aws4_request',
    signedHeaders: [],
    signature,
    sessionToken: undefined,
    signedAt: 0,
    expiresIn: null,
    payloadHash: '',
  })

const PLAIN = {
  signing: example('4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9'),
  chunks: [
    [65_536, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648'],
    [1024, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497'],
    [0, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'],
  ],
  trailers: '',
} as const
const TRAILED = {
  signing: example('106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e'),
  chunks: [
    [65_536, 'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2'],
    [1024, '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7'],
    [0, '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992'],
  ],
  trailers:
    'x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n',
} as const

const encoded = ({ chunks, trailers }: typeof PLAIN | typeof TRAILED): string => {
  const framed = chunks.map(([size, signature]) => {
    const bytes = size === 0 ? '' : `${'a'.repeat(size)}\r\n`
    return `${size.toString(16)};chunk-signature=${signature}\r\n${bytes}`
  })
  return `${framed.join('')}${trailers}\r\n`
}

async function* pieces(text: string, cuts: readonly number[] = []): AsyncGenerator<Buffer> {
  let from = 0
  for (const cut of [...cuts].sort((left, right) => left - right)) {
    yield Buffer.from(text.slice(from, cut), 'latin1')
    from = cut
  }
  yield Buffer.from(text.slice(from), 'latin1')
}

const read = async (text: string, signing: Signing | null, cuts: readonly number[] = []) => {
  const trailers = new Map<string, string>()
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of unframed(pieces(text, cuts), { signing, trailers })) {
    hash.update(chunk)
    size += chunk.length
  }
  return { size, hash: hash.digest('hex'), trailers: [...trailers] }
}

const WHOLE = { size: 66_560, hash: createHash('sha256').update('a'.repeat(66_560)).digest('hex') }
const refused = (text: string, signing: Signing | null) =>
  read(text, signing).then(
    () => 'accepted',
    (error: unknown) => reasonOf(error),
  )

describe('signed chunks', () => {
  it("are accepted as in AWS's own examples, wherever the network cuts them", async () => {
    expect(await read(encoded(PLAIN), PLAIN.signing)).toEqual({ ...WHOLE, trailers: [] })
    expect(await read(encoded(TRAILED), TRAILED.signing)).toEqual({
      ...WHOLE,
      trailers: [['x-amz-checksum-crc32c', 'sOO8/Q==']],
    })
    const text = encoded(TRAILED)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(text.length), { maxLength: 40 }), async (cuts) => {
        expect(await read(text, TRAILED.signing, cuts)).toMatchObject(WHOLE)
      }),
      { seed: 7, numRuns: RUNS },
    )
  })

  it('are refused once a byte, a signature, a trailer or their order is another', async () => {
    const text = encoded(TRAILED)
    const second = text.indexOf('\r\n400;') + 2
    const zero = text.indexOf('\r\n0;') + 2
    for (const [what, changed, reason] of [
      ['a byte of the first chunk', text.replace('\r\naaaa', '\r\nbaaa'), 'invalid_signature'],
      ['a signature', text.replace('b474d8', 'b474d9'), 'invalid_signature'],
      ['no signature', text.replace(/;chunk-signature=b474\w+/, ''), 'invalid_signature'],
      ['the signature of the end', text.replace('2ca2ab', '2ca2ac'), 'invalid_signature'],
      ['a trailer', text.replace('sOO8/Q==', 'sOO8/R=='), 'invalid_signature'],
      ['no trailer signature', text.replace(/x-amz-trailer-signature.*\r\n/, ''), 'invalid_signature'],
      ['a trailer more', text.replace('x-amz-trailer-', 'x-amz-meta-a:b\r\nx-amz-trailer-'), 'invalid_signature'],
      ['a chunk left out', text.slice(0, second) + text.slice(zero), 'invalid_signature'],
      ['no end', text.slice(0, zero), 'invalid_parameter'],
      ['an end in the middle', text.slice(0, second - 100), 'invalid_parameter'],
    ] as const) {
      expect([what, await refused(changed, TRAILED.signing)]).toEqual([what, reason])
    }
    expect(await refused(text, PLAIN.signing)).toBe('invalid_signature')
  })
})

describe('chunks without signatures', () => {
  it('give what was framed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 50 }), { maxLength: 8 }),
        fc.array(fc.nat(600), { maxLength: 10 }),
        async (contents, cuts) => {
          const framed = contents.map((each) => `${each.length.toString(16)}\r\n${each}\r\n`).join('')
          const text = `${framed}0\r\nx-amz-checksum-crc32:abc=\r\n\r\n`
          const found = await read(text, null, cuts)
          expect(found.hash).toBe(createHash('sha256').update(contents.join('')).digest('hex'))
          expect(found.trailers).toEqual([['x-amz-checksum-crc32', 'abc=']])
        },
      ),
      { seed: 7, numRuns: RUNS },
    )
  })

  it.each([
    ['nothing', ''],
    ['no size', '\r\n'],
    ['a size that is none', 'xyz\r\n'],
    ['a negative size', '-5\r\nhello\r\n0\r\n\r\n'],
    ['a size beyond all files', 'fffffffffffff\r\n'],
    ['a size that is too small', '4\r\nhello\r\n0\r\n\r\n'],
    ['a size that is too large', '6\r\nhello\r\n0\r\n\r\n'],
    ['an endless size line', `5;${'x'.repeat(9000)}`],
    ['a long size line', `5;${'x'.repeat(9000)}\r\nhello\r\n0\r\n\r\n`],
    ['no end', '5\r\nhello\r\n'],
    ['a trailer without a name', '0\r\n:x\r\n\r\n'],
    ['a trailer that is none', '0\r\nhello\r\n\r\n'],
    ['1,000 trailers', `0\r\n${Array.from({ length: 1000 }, (_, index) => `t${index}:x\r\n`).join('')}\r\n`],
    ['line ends of another kind', '5\nhello\n0\n\n'],
  ])('with %s are refused', async (_what, text) => {
    expect(await refused(text, null)).toBe('invalid_parameter')
  })
})
