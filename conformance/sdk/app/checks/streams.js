const { ReadableStream, Response } = require('@teahouse/sdk')
const { equal, ok, throws, rejects } = require('./tools')

const of = (...chunks) =>
  new ReadableStream({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(new Uint8Array(chunk))
      controller.close()
    },
  })

module.exports = {
  'gives its chunks in order, then ends': async () => {
    const reader = of([1], [2, 3]).getReader()
    equal(
      [await reader.read(), await reader.read(), await reader.read()],
      [
        { done: false, value: [1] },
        { done: false, value: [2, 3] },
        { done: true, value: undefined },
      ],
    )
  },
  'is locked by its reader': async () => {
    const stream = of([1])
    const reader = stream.getReader()
    ok(stream.locked)
    throws('TypeError', () => stream.getReader())
    await rejects('TypeError', stream.cancel())
    reader.releaseLock()
    ok(!stream.locked)
    await rejects('TypeError', reader.read())
  },
  'pulls when someone waits, and passes errors on': async () => {
    let pulls = 0
    const stream = new ReadableStream({
      pull: (controller) => {
        pulls++
        if (pulls === 3) throw new RangeError('enough')
        controller.enqueue(new Uint8Array([pulls]))
      },
    })
    const reader = stream.getReader()
    equal([(await reader.read()).value, (await reader.read()).value], [[1], [2]])
    await rejects('RangeError', reader.read())
  },
  'cancel reaches the source': async () => {
    let reason = null
    const stream = new ReadableStream({ cancel: (why) => (reason = why) })
    await stream.cancel('why')
    equal(reason, 'why')
  },
  'tee gives both all': async () => {
    const [one, two] = of([1], [2]).tee()
    equal(
      [await new Response(one).bytes(), await new Response(two).bytes()],
      [
        [1, 2],
        [1, 2],
      ],
    )
  },
  'is iterated': async () => {
    const seen = []
    for await (const chunk of of([1], [2])) seen.push(chunk[0])
    equal(seen, [1, 2])
  },
  'the body of a response is a stream; reading it uses the body': async () => {
    const response = new Response('abc')
    const reader = response.body.getReader()
    equal((await reader.read()).value, [97, 98, 99])
    ok(response.bodyUsed)
    await rejects('TypeError', response.text())
  },
}
