const { AbortController, AbortSignal, DOMException } = require('@teahouse/sdk')
const { equal, ok, throws, next } = require('./tools')

module.exports = {
  'a controller aborts its signal once, with the first reason': () => {
    const controller = new AbortController()
    const seen = []
    controller.signal.addEventListener('abort', (event) => seen.push(event.type))
    controller.signal.onabort = () => seen.push('handler')
    ok(!controller.signal.aborted)
    controller.abort('why')
    controller.abort('again')
    equal([controller.signal.aborted, controller.signal.reason, seen.sort()], [true, 'why', ['abort', 'handler']])
    equal(
      throws('undefined', () => {
        try {
          controller.signal.throwIfAborted()
        } catch (reason) {
          throw { name: 'undefined', reason }
        }
      }).reason,
      'why',
    )
  },
  'without a reason it is an AbortError': () => {
    const { reason } = AbortSignal.abort()
    equal(
      [reason.name, reason.code, reason instanceof DOMException, reason instanceof Error],
      ['AbortError', 20, true, true],
    )
  },
  'AbortSignal.abort is aborted already': () => equal(AbortSignal.abort(1).reason, 1),
  'AbortSignal.timeout ends with a TimeoutError': async () => {
    const signal = AbortSignal.timeout(20)
    await next(signal, 'abort')
    equal(signal.reason.name, 'TimeoutError')
  },
  'AbortSignal.any follows the first of its signals': () => {
    const [one, two] = [new AbortController(), new AbortController()]
    const any = AbortSignal.any([one.signal, two.signal])
    ok(!any.aborted)
    two.abort('two')
    one.abort('one')
    equal([any.aborted, any.reason], [true, 'two'])
    equal(AbortSignal.any([AbortSignal.abort('now')]).reason, 'now')
    ok(!AbortSignal.any([]).aborted)
  },
}
