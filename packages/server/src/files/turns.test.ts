import { describe, expect, it } from 'vitest'
import { Turns } from './turns.ts'

describe('turns', () => {
  it('let one work at a time, in order, and ask the one before to make way', async () => {
    const turns = new Turns()
    const seen: string[] = []
    let begun = () => {}
    const beginning = new Promise<void>((resolve) => {
      begun = resolve
    })
    const first = turns.take('a', async (signal) => {
      seen.push('first')
      begun()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      seen.push('first makes way')
    })
    await beginning
    const second = turns.take('a', async (signal) => seen.push(`second ${signal.aborted}`))
    await Promise.all([first, second])
    expect(seen).toEqual(['first', 'first makes way', 'second false'])
  })

  it('go on after a failure', async () => {
    const turns = new Turns()
    const failed = turns.take('a', () => Promise.reject(new Error('no')))
    const next = turns.take('a', async () => 'yes')
    await expect(failed).rejects.toThrow('no')
    expect(await next).toBe('yes')
  })

  it('do not wait for other names', async () => {
    const turns = new Turns()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const waiting = turns.take('a', () => held)
    expect(await turns.take('b', async () => 1)).toBe(1)
    release()
    await waiting
  })
})
