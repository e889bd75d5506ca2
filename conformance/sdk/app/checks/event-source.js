const { webApis } = require('@teahouse/sdk')
const { equal, next, throws } = require('./tools')

const { EventSource } = webApis()

module.exports = {
  'opens, gives named and unnamed events with ids, and reconnects with the last one': async (peer) => {
    const source = new EventSource(`${peer}/sse?close`)
    equal([source.readyState, source.url, source.withCredentials], [0, `${peer}/sse?close`, false])
    const hello = next(source, 'hello')
    await next(source, 'open')
    equal(source.readyState, 1)
    equal((await hello).data, '')
    const message = await next(source, 'message')
    equal([message.data, message.lastEventId, message.origin], ['bye', '7', peer])
    await next(source, 'error')
    equal(source.readyState, 0)
    equal((await next(source, 'hello')).data, '7')
    source.close()
    equal(source.readyState, 2)
  },
  'fails for good when the answer is no event stream': async (peer) => {
    const source = new EventSource(`${peer}/text`)
    await next(source, 'error')
    equal(source.readyState, 2)
    const refused = new EventSource(`${peer}/status/500`)
    await next(refused, 'error')
    equal(refused.readyState, 2)
  },
  'tries again when nobody answers': async () => {
    const source = new EventSource('http://127.0.0.1:1/')
    await next(source, 'error')
    equal(source.readyState, 0)
    source.close()
  },
  'refuses what is no URL': () => throws('SyntaxError', () => new EventSource('nothing')),
}
