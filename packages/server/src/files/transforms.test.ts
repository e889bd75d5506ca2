import { describe, expect, it } from 'vitest'
import { parseTransform, sniff, transformIn } from './transforms.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')

describe('what may be asked of a picture', () => {
  it('has defaults', () => {
    expect(parseTransform({ width: '10', other: 'x' })).toEqual({
      width: 10,
      height: null,
      resize: 'cover',
      quality: 80,
      format: 'auto',
    })
    expect(transformIn({})).toBeNull()
    expect(transformIn({ transform: {} })).toBeNull()
  })

  it.each([
    { width: 0 },
    { width: 1.5 },
    { height: '1 ' },
    { quality: 101 },
    { resize: 'x' },
    { format: ['avif'] },
    { width: {} },
  ])('is not %j', (given) => {
    expect(() => parseTransform(given)).toThrow('must be')
  })

  it('looks at nothing that it inherits', () => {
    expect(parseTransform(Object.create({ width: 5 })).width).toBeNull()
  })
})

describe('the first bytes of a picture', () => {
  it.each([
    ['\xff\xd8\xff\xe0', 'jpeg'],
    ['\x89PNG\r\n\x1a\n', 'png'],
    ['GIF89a', 'gif'],
    ['RIFF\0\0\0\0WEBP', 'webp'],
    ['\0\0\0\x1cftypavif', 'avif'],
    ['II*\0', 'tiff'],
    ['<svg xmlns=', null],
    ['\0\0\0\x1cftypheic', null],
    ['%PDF-1.7', null],
    ['', null],
  ])('%j are %s', (text, format) => {
    expect(sniff(bytes(text))).toBe(format)
  })
})
