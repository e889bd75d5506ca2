import { describe, expect, it } from 'vitest'
import {
  assertAllowed,
  isDocument,
  isMediaType,
  isPassive,
  isScript,
  typeByName,
  typeOfBody,
  typeOfPart,
} from './media-types.ts'

describe('media types', () => {
  it.each(['image/png', 'text/plain;charset=UTF-8', 'text/plain; charset="utf-8"', 'application/vnd.x+json', 'a/b;'])(
    'takes %j',
    (type) => expect(isMediaType(type)).toBe(true),
  )
  it.each([
    '',
    'png',
    'image/',
    '/png',
    'image/png\r\nx: y',
    'image/png\0',
    'im age/png',
    'image/中',
    `a/${'b'.repeat(300)}`,
    'text/html,',
  ])('refuses %j', (type) => expect(isMediaType(type)).toBe(false))

  it('answers a hostile type at once', () => {
    const started = performance.now()
    for (const type of [`a/b${' '.repeat(240)}!`, `a/b${';a="'.repeat(60)}`, `a/b${'; a=a'.repeat(40)}\n`])
      isMediaType(type)
    expect(performance.now() - started).toBeLessThan(50)
  })

  it('knows types by extension, and nothing an object inherits', () => {
    expect(typeByName('a/b.PNG')).toBe('image/png')
    expect(typeByName('x.constructor')).toBeUndefined()
    expect(typeByName('png')).toBeUndefined()
    expect(typeOfBody(undefined, 'x.webp')).toBe('image/webp')
    expect(typeOfBody(' ', 'x')).toBe('application/octet-stream')
    expect(typeOfBody('text/css', 'x.png')).toBe('text/css')
  })

  it('mends the misnomers of the mini-program client, but never into a page', () => {
    expect(typeOfPart('application/octet-stream', 'a.webp')).toBe('image/webp')
    expect(typeOfPart('video/mpeg4', 'a.mp4')).toBe('video/mp4')
    expect(typeOfPart('text/xml', 'a.svg')).toBe('image/svg+xml')
    expect(typeOfPart('application/octet-stream', 'a.html')).toBe('application/octet-stream')
    expect(typeOfPart('image/png', 'a.jpg')).toBe('image/png')
  })

  it('holds a bucket to its list', () => {
    const refuse = (type: string, allowed: string[]) =>
      expect(() => assertAllowed(type, allowed), type).toThrow('mime type')
    assertAllowed('image/png', null)
    assertAllowed('image/png', [])
    assertAllowed('IMAGE/PNG; a=b', ['image/*'])
    assertAllowed('image/png', ['text/plain', 'Image/PNG'])
    assertAllowed('x/y', ['*/*'])
    refuse('text/html', ['image/*'])
    refuse('imagex/png', ['image/*'])
    refuse('image/svg+xml', ['image/png'])
    refuse('image/png\r\nx: y', ['*'])
  })

  it.each([
    'text/html',
    'TEXT/HTML;charset=x',
    'application/xhtml+xml',
    'image/svg+xml',
    'text/xml',
    'application/xml',
    'application/rss+xml',
    'text/javascript',
    'multipart/x-mixed-replace',
    'text/css',
    'application/x-whatever',
  ])('does not call %s passive', (type) => expect(isPassive(type)).toBe(false))
  it('calls pictures, sound, film and data passive', () => {
    for (const type of [
      'image/png',
      'video/mp4',
      'audio/mpeg',
      'text/plain; charset=utf-8',
      'application/pdf',
      'application/json',
    ]) {
      expect(isPassive(type), type).toBe(true)
    }
  })
  it('tells scripts and documents', () => {
    for (const type of [
      'text/javascript',
      'application/javascript',
      'application/x-javascript',
      'text/ecmascript',
      'text/jscript',
    ]) {
      expect(isScript(type), type).toBe(true)
    }
    expect(isDocument('text/html')).toBe(true)
    expect(isDocument('image/svg+xml')).toBe(false)
    expect(isDocument('application/xml')).toBe(true)
  })
})
