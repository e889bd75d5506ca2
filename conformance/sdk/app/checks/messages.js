const { AbortController, Blob, Headers, Request, Response, URLSearchParams } = require('@teahouse/sdk')
const { equal, ok, throws, rejects } = require('./tools')

module.exports = {
  'a response has a status, headers and a body that is read once': async () => {
    const response = new Response('{"a":1}', { status: 201, statusText: 'Made', headers: { x: 'y' } })
    equal(
      [response.status, response.statusText, response.ok, response.headers.get('x'), response.type],
      [201, 'Made', true, 'y', 'default'],
    )
    equal(response.headers.get('content-type'), 'text/plain;charset=UTF-8')
    equal([await response.json(), response.bodyUsed], [{ a: 1 }, true])
    await rejects('TypeError', response.text())
  },
  'bodies of every kind': async () => {
    equal(await new Response(new Uint8Array([65, 66])).text(), 'AB')
    equal(await new Response(new Uint8Array([65, 66]).buffer).text(), 'AB')
    const blob = new Response(new Blob(['x'], { type: 'a/b' }))
    equal([blob.headers.get('content-type'), (await blob.blob()).type], ['a/b', 'a/b'])
    equal(await new Response(new URLSearchParams({ a: '1' })).text(), 'a=1')
    equal([await new Response().text(), new Response().body, new Response(null).bodyUsed], ['', null, false])
    equal((await new Response('茶').arrayBuffer()).byteLength, 3)
    await rejects('SyntaxError', new Response('x').json())
  },
  'a response without a body stays without one': () => {
    throws('TypeError', () => new Response('x', { status: 204 }))
    throws('RangeError', () => new Response('', { status: 199 }))
  },
  'a clone is read on its own': async () => {
    const response = new Response('ab', { status: 203 })
    const clone = response.clone()
    equal([await response.text(), await clone.text(), clone.status], ['ab', 'ab', 203])
    throws('TypeError', () => response.clone())
    const streamed = new Response(new Blob(['xyz']).stream())
    const copy = streamed.clone()
    equal(await Promise.all([streamed.text(), copy.text()]), ['xyz', 'xyz'])
  },
  'the static makers': async () => {
    const json = Response.json({ a: 1 }, { status: 202 })
    equal([json.status, json.headers.get('content-type'), await json.text()], [202, 'application/json', '{"a":1}'])
    equal([Response.error().type, Response.error().status], ['error', 0])
    equal(
      [Response.redirect('http://h/', 307).status, Response.redirect('http://h').headers.get('location')],
      [307, 'http://h/'],
    )
    throws('RangeError', () => Response.redirect('http://h', 200))
  },
  'a request has a method, a URL and headers': () => {
    const request = new Request('http://h/a b#f', { method: 'post', headers: new Headers({ a: 'b' }), body: 'x' })
    equal(
      [request.method, request.url, request.headers.get('a'), request.redirect],
      ['POST', 'http://h/a%20b#f', 'b', 'follow'],
    )
    equal(new Request('http://h', { method: 'patch' }).method, 'PATCH')
  },
  'a request refuses what cannot be sent': () => {
    throws('TypeError', () => new Request('/relative'))
    throws('TypeError', () => new Request('http://u:p@h/'))
    throws('TypeError', () => new Request('http://h', { method: 'TRACE' }))
    throws('TypeError', () => new Request('http://h', { method: 'A B' }))
    throws('TypeError', () => new Request('http://h', { body: 'x' }))
  },
  'a request of a request takes its body and follows its signal': async () => {
    const controller = new AbortController()
    const first = new Request('http://h', { method: 'PUT', body: 'x', headers: { a: 'b' }, signal: controller.signal })
    const copy = first.clone()
    const second = new Request(first, { headers: { c: 'd' } })
    equal(
      [second.method, second.headers.get('a'), second.headers.get('c'), await second.text(), first.bodyUsed],
      ['PUT', null, 'd', 'x', true],
    )
    equal([await copy.text(), copy.headers.get('a')], ['x', 'b'])
    controller.abort()
    ok(second.signal.aborted && copy.signal.aborted)
  },
}
