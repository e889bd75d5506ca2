const { AbortController, AbortSignal, Blob, FormData, Request, URL, createFetch, fetch } = require('@teahouse/sdk')
const { equal, ok, rejects } = require('./tools')

const echo = (input, init) => fetch(input, init).then((response) => response.json())

module.exports = {
  'any status is an answer': async (peer) => {
    const response = await fetch(`${peer}/status/418`)
    equal(
      [response.status, response.ok, await response.text(), response.url],
      [418, false, 'body', `${peer}/status/418`],
    )
    const empty = await fetch(`${peer}/status/204`)
    equal([empty.status, await empty.text(), empty.body], [204, '', null])
  },
  'headers are read in any case': async (peer) => {
    const response = await fetch(`${peer}/bytes`)
    equal([response.headers.get('X-Peer'), response.headers.get('content-type')], ['a', 'application/octet-stream'])
  },
  'bytes arrive as they are': async (peer) => {
    const bytes = await (await fetch(`${peer}/bytes`)).bytes()
    equal([bytes.length, bytes[128], bytes[255]], [256, 128, 255])
  },
  'text arrives as it is, without its mark': async (peer) =>
    equal(await (await fetch(`${peer}/text`)).text(), '茶馆 😀 {"not": json}'),
  'the query of the URL arrives': async (peer) => {
    const { url } = await echo(new URL('/echo?a=%E8%8C%B6&b=1#f', peer))
    equal(url, '/echo?a=%E8%8C%B6&b=1')
  },
  'sends text, bytes and blobs with their types': async (peer) => {
    const post = (body, headers) => echo(`${peer}/echo`, { method: 'POST', body, headers })
    const text = await post('茶')
    equal([text.headers['content-type'], text.body], ['text/plain;charset=UTF-8', '\xe8\x8c\xb6'])
    const json = await post('{"a":1}', { 'Content-Type': 'application/json' })
    equal([json.headers['content-type'], json.body], ['application/json', '{"a":1}'])
    equal((await post(new Uint8Array([0, 255]))).body, '\x00\xff')
    const blob = await post(new Blob(['x'], { type: 'a/b' }))
    equal([blob.headers['content-type'], blob.body], ['a/b', 'x'])
  },
  'sends forms with several files and odd names': async (peer) => {
    const form = new FormData()
    form.append('字', '值')
    form.append('f', new Blob(['one']), '一.txt')
    form.append('f', new Blob(['two']), '二.txt')
    const { headers, body } = await echo(`${peer}/echo`, { method: 'POST', body: form })
    const boundary = /boundary=(.*)$/.exec(headers['content-type'])[1]
    equal([body.split(`--${boundary}`).length, body.indexOf('one') > 0, body.indexOf('two') > 0], [5, true, true])
  },
  'uses every method; PATCH goes as POST with its name': async (peer) => {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'])
      equal((await echo(`${peer}/echo`, { method })).method, method)
    const patch = await echo(`${peer}/echo`, { method: 'PATCH', body: 'x' })
    equal([patch.method, patch.headers['x-http-method-override'], patch.body], ['POST', 'PATCH', 'x'])
    const head = await fetch(`${peer}/echo`, { method: 'HEAD' })
    equal([head.status, await head.text()], [200, ''])
  },
  'DELETE carries a body': async (peer) =>
    equal((await echo(`${peer}/echo`, { method: 'DELETE', body: '{"prefixes":[]}' })).body, '{"prefixes":[]}'),
  'takes a Request': async (peer) => {
    const request = new Request(`${peer}/echo`, { method: 'PUT', body: 'x', headers: { a: 'b' } })
    const arrived = await echo(request, { headers: { c: 'd' } })
    equal([arrived.method, arrived.body, arrived.headers.c, arrived.headers.a], ['PUT', 'x', 'd', undefined])
  },
  'follows redirects, or refuses them': async (peer) => {
    equal((await echo(`${peer}/redirect`)).url, '/echo/after')
    await rejects('TypeError', fetch(`${peer}/redirect`, { redirect: 'error' }))
    equal((await fetch(`${peer}/redirect`, { redirect: 'manual' })).status, 302)
  },
  'is a TypeError when nobody answers': async () => {
    await rejects('TypeError', fetch('http://127.0.0.1:1/'))
    await rejects('TypeError', fetch('/relative'))
  },
  'ends when its signal does, before and during': async (peer) => {
    await rejects('AbortError', fetch(`${peer}/held`, { signal: AbortSignal.abort() }))
    const controller = new AbortController()
    const running = fetch(`${peer}/held`, { signal: controller.signal })
    setTimeout(() => controller.abort(), 20)
    await rejects('AbortError', running)
    await rejects('TimeoutError', fetch(`${peer}/held`, { signal: AbortSignal.timeout(20) }))
    await rejects('TimeoutError', fetch(`${peer}/held`, { timeout: 20 }))
  },
  'lets go of a signal when it is done': async (peer) => {
    const { signal } = new AbortController()
    let listening = 0
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...args) => {
      listening++
      addEventListener.apply(signal, args)
    }
    signal.removeEventListener = (...args) => {
      listening--
      removeEventListener.apply(signal, args)
    }
    await fetch(`${peer}/text`, { signal })
    await rejects('TypeError', fetch('http://127.0.0.1:1/', { signal }))
    await (await fetch(`${peer}/chunks`, { signal, stream: true })).text()
    equal(listening, 0)
  },
  'streams when asked to, characters split as they come': async (peer) => {
    const response = await fetch(`${peer}/chunks`, { stream: true })
    let chunks = 0
    for await (const chunk of response.clone().body) chunks += chunk.length > 0 ? 1 : 0
    equal([await response.text(), chunks > 1], ['茶馆😀end', true])
  },
  'a stream that is cancelled frees its place': async (peer) => {
    const response = await fetch(`${peer}/sse`, { stream: true })
    await response.body.cancel()
    equal((await echo(`${peer}/echo`)).method, 'GET')
  },
  'aborting ends a streamed body': async (peer) => {
    const controller = new AbortController()
    const response = await fetch(`${peer}/sse`, { stream: true, signal: controller.signal })
    const reader = response.body.getReader()
    await reader.read()
    controller.abort()
    await rejects('AbortError', reader.read())
  },
  'reads a form from an answer': async (peer) => {
    const form = await (await fetch(`${peer}/form`)).formData()
    equal([form.get('a'), form.get('f').name, await form.get('f').text()], ['茶', 'x.txt', 'hi'])
  },
  'reads a body once': async (peer) => {
    const response = await fetch(`${peer}/text`)
    await response.text()
    await rejects('TypeError', response.text())
  },
  'logs in again once for many refusals': async (peer) => {
    let logins = 0
    const fetching = createFetch({
      onUnauthorized: async () => {
        logins++
        return 'Bearer new'
      },
    })
    const all = await Promise.all(
      [1, 2, 3].map((n) =>
        fetching(`${peer}/once?${n}`, { method: 'POST', body: `b${n}`, headers: { authorization: 'Bearer old' } }),
      ),
    )
    equal([all.map((one) => one.status), logins], [[200, 200, 200], 1])
    equal((await all[1].json()).body, 'b2')
    const refusing = createFetch({ onUnauthorized: async () => null })
    equal((await refusing(`${peer}/once`)).status, 401)
  },
  'tells the progress of an upload': async (peer) => {
    const seen = []
    await fetch(`${peer}/echo`, { method: 'POST', body: 'abc', onUploadProgress: (progress) => seen.push(progress) })
    equal(seen, [{ loaded: 3, total: 3 }])
    ok(true)
  },
}
