/** config.json of a function: what is taken, and what is refused with which words. */
import { describe, expect, it } from 'vitest'
import { nextRun, readFunctionConfig } from './config.ts'

const read = (config: unknown) => readFunctionConfig('f', JSON.stringify(config), null)

describe('the configuration of a function', () => {
  it('has defaults', () => {
    expect(readFunctionConfig('f', null, null)).toEqual({
      entry: 'index.js',
      timeout: 20,
      memory: 256,
      concurrency: null,
      timers: [],
      openapi: null,
      verifyJwt: true,
    })
  })

  it('is that of WeChat, with limits beside it', () => {
    const config = read({
      permissions: { openapi: ['subscribeMessage.send'] },
      triggers: [{ name: 'nightly', type: 'timer', config: '0 0 2 1 * * *' }],
      timeout: 3,
    })
    expect(config).toMatchObject({
      timeout: 3,
      openapi: ['subscribeMessage.send'],
      timers: [{ name: 'nightly', cron: '0 0 2 1 * * *' }],
    })
  })

  it.each([
    [{ timeout: 0 }, 'timeout is a whole number'],
    [{ memory: 1e9 }, 'memory is a whole number'],
    [{ triggers: {} }, 'triggers is a list'],
    [{ triggers: [{ name: 'a', type: 'queue', config: '' }] }, 'only timers'],
    [{ triggers: [{ name: 'a', type: 'timer', config: '* * * * *' }] }, 'seven fields'],
    [{ triggers: [{ name: 'a', type: 'timer', config: '99 * * * * * *' }] }, 'trigger a'],
    [{ permissions: { openapi: 'all' } }, 'list of names'],
  ])('refuses %j', (config, words) => {
    expect(() => read(config)).toThrow(words)
  })

  it('refuses an entry outside of the folder', () => {
    expect(() => readFunctionConfig('f', null, '{"main":"../other/index.js"}')).toThrow('outside')
  })

  it('counts hours as Beijing does, and knows when a timer never comes again', () => {
    expect(nextRun('0 0 2 1 * * *', new Date('2026-01-01T00:00:00Z'))?.toISOString()).toBe('2026-01-31T18:00:00.000Z')
    expect(nextRun('0 0 2 1 1 * 2020', new Date('2026-01-01T00:00:00Z'))).toBeNull()
  })
})
