const { Event, EventTarget, queueMicrotask, structuredClone } = require('@teahouse/sdk')
const { equal, ok, throws, delay } = require('./tools')

module.exports = {
  'calls listeners in order, each once': () => {
    const target = new EventTarget()
    const seen = []
    const first = () => seen.push(1)
    target.addEventListener('x', first)
    target.addEventListener('x', first)
    target.addEventListener('x', { handleEvent: () => seen.push(2) })
    target.addEventListener('x', () => seen.push(3), { once: true })
    target.dispatchEvent(new Event('x'))
    target.removeEventListener('x', first)
    target.dispatchEvent(new Event('x'))
    equal(seen, [1, 2, 3, 2])
  },
  'a listener that stops the event stops it': () => {
    const target = new EventTarget()
    const seen = []
    target.addEventListener('x', (event) => event.stopImmediatePropagation())
    target.addEventListener('x', () => seen.push(1))
    target.dispatchEvent(new Event('x'))
    equal(seen, [])
  },
  'preventDefault counts for events that can be cancelled': () => {
    const target = new EventTarget()
    target.addEventListener('x', (event) => event.preventDefault())
    equal(
      [target.dispatchEvent(new Event('x')), target.dispatchEvent(new Event('x', { cancelable: true }))],
      [true, false],
    )
  },
  'an event knows its target': () => {
    const target = new EventTarget()
    let seen = null
    target.addEventListener('x', (event) => {
      seen = event.target === target && event.currentTarget === target
    })
    target.dispatchEvent(new Event('x'))
    ok(seen)
  },
  'queueMicrotask runs before timers': async () => {
    const seen = []
    setTimeout(() => seen.push('timer'), 0)
    queueMicrotask(() => seen.push('micro'))
    seen.push('sync')
    await delay(10)
    equal(seen, ['sync', 'micro', 'timer'])
    throws('TypeError', () => queueMicrotask(1))
  },
  'structuredClone copies plain data, cycles included': () => {
    const source = {
      a: [1, { b: new Date(5) }],
      m: new Map([['k', new Set([1])]]),
      u: undefined,
      bytes: new Uint8Array([1, 2]),
    }
    source.self = source
    const copy = structuredClone(source)
    ok(copy !== source && copy.self === copy && copy.a !== source.a)
    equal([copy.a[1].b.getTime(), copy.m.get('k').has(1), 'u' in copy, copy.bytes], [5, true, true, [1, 2]])
    throws('DataCloneError', () => structuredClone({ f: () => 1 }))
  },
}
