/** Where people may be sent: the operator's patterns, read as the regular expression that they stand for, in time that an attacker cannot stretch. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRedirects } from './redirects.ts'

const SITE = 'https://site.example'
const runs = { numRuns: process.env.TEAHOUSE_SOAK === '1' ? 20_000 : 500, seed: 11 }

/** What a pattern means, said in the naive way. */
const naive = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .split(/(\*\*|\*|\?)/)
      .map((part) =>
        part === '**'
          ? '.*'
          : part === '*'
            ? '[^./]*'
            : part === '?'
              ? '[^./]'
              : part.replace(/[\\^$.|+()[\]{}]/g, '\\$&'),
      )
      .join('')}$`,
  )

describe('a pattern for redirects', () => {
  it('means what its regular expression means', () => {
    const piece = fc.constantFrom('*', '**', '?', 'a', 'b', '.', '/', '-')
    const globs = fc.array(piece, { maxLength: 7 }).map((parts) => `https://${parts.join('')}`)
    const paths = fc.stringMatching(/^[ab.-]{1,5}(\/[ab.-]{0,4}){0,2}$/)
    fc.assert(
      fc.property(globs, paths, (glob, path) => {
        const wanted = `https://${path}`
        if (!URL.canParse(wanted)) return
        const url = new URL(wanted)
        const bare = `${url.protocol}//${url.host}${url.pathname}`
        const allowed = naive(glob).test(bare) || naive(glob).test(bare.replace(/\/$/, ''))
        const { resolve } = createRedirects({ siteUrl: SITE, redirectUrls: [glob] })
        expect([glob, wanted, resolve(wanted)]).toEqual([glob, wanted, allowed ? wanted : SITE])
      }),
      runs,
    )
  })

  it('costs no more than pattern times text', () => {
    const { resolve } = createRedirects({ siteUrl: SITE, redirectUrls: [`https://${'**a'.repeat(12)}b`] })
    const began = performance.now()
    expect(resolve(`https://x.example/${'a'.repeat(2_000)}`)).toBe(SITE)
    expect(performance.now() - began).toBeLessThan(500)
  })

  it('lets nobody out of the host that it names', () => {
    const { resolve } = createRedirects({ siteUrl: SITE, redirectUrls: ['https://*.app.example/**'] })
    expect(resolve('https://a.app.example/deep/page?x=1#y')).toBe('https://a.app.example/deep/page?x=1#y')
    for (const url of [
      'https://a.b.app.example/x',
      'https://evil.example/.app.example/x',
      'https://app.example.evil.example/',
      'https://a.app.example@evil.example/',
      'https://evil.example\\.app.example/',
      'http://a.app.example/',
      'javascript:alert(1)//https://a.app.example/',
      '//a.app.example/',
    ]) {
      expect([url, resolve(url)]).toEqual([url, SITE])
    }
  })
})
