const { Blob, createWebSocket } = require('@teahouse/sdk')
const { equal, ok, next, throws } = require('./tools')

const open = async (peer, Socket = createWebSocket()) => {
  const socket = new Socket(peer.replace('http', 'ws'))
  await next(socket, 'open')
  return socket
}

module.exports = {
  'opens, echoes text and closes': async (peer) => {
    const Socket = createWebSocket()
    const socket = new Socket(`${peer}/path?a=b`)
    equal(
      [socket.readyState, socket.url, Socket.OPEN, socket.CLOSED],
      [0, `${peer.replace('http', 'ws')}/path?a=b`, 1, 3],
    )
    throws('InvalidStateError', () => socket.send('x'))
    await next(socket, 'open')
    equal(socket.readyState, 1)
    socket.send('url?')
    equal((await next(socket, 'message')).data, '/path?a=b')
    socket.close(3001, '再见')
    equal(socket.readyState, 2)
    const event = await next(socket, 'close')
    equal([event.code, event.reason, event.wasClean, socket.readyState], [3001, '再见', true, 3])
  },
  'carries bytes as buffers or blobs': async (peer) => {
    const socket = await open(peer)
    equal(socket.binaryType, 'blob')
    socket.send(new Uint8Array([9, 1, 2]).subarray(1))
    const blob = (await next(socket, 'message')).data
    equal([blob instanceof Blob, await blob.bytes()], [true, [1, 2]])
    socket.binaryType = 'arraybuffer'
    socket.send(new Uint8Array([3]).buffer)
    equal(new Uint8Array((await next(socket, 'message')).data), [3])
    socket.send(new Blob(['x']))
    equal(new Uint8Array((await next(socket, 'message')).data), [120])
    socket.close()
  },
  'counts what is on its way': async (peer) => {
    const socket = await open(peer)
    socket.send('茶')
    equal(socket.bufferedAmount, 3)
    await next(socket, 'message')
    equal(socket.bufferedAmount, 0)
    socket.close()
    socket.send('late')
    equal(socket.bufferedAmount, 4)
  },
  'tells the code of the other side': async (peer) => {
    const socket = await open(peer)
    socket.send('close me')
    const event = await next(socket, 'close')
    equal([event.code, event.reason, event.wasClean], [4001, 'as asked', true])
  },
  'a connection that breaks ends with 1006': async (peer) => {
    const socket = await open(peer)
    const errors = []
    socket.onerror = () => errors.push('error')
    socket.send('kill me')
    const event = await next(socket, 'close')
    equal([event.code, event.wasClean, errors], [1006, false, ['error']])
  },
  'nobody there is an error and a close': async () => {
    const Socket = createWebSocket()
    const socket = new Socket('ws://127.0.0.1:1/')
    const event = await next(socket, 'close')
    equal([event.code, socket.readyState], [1006, 3])
  },
  'closing while it connects ends it': async (peer) => {
    const Socket = createWebSocket()
    const socket = new Socket(peer.replace('http', 'ws'))
    let opened = false
    socket.onopen = () => {
      opened = true
    }
    socket.close()
    await next(socket, 'close')
    ok(!opened)
  },
  'one socket at a time: a new one takes the place of the old': async (peer) => {
    const Socket = createWebSocket()
    const first = await open(peer, Socket)
    const late = []
    first.onmessage = () => late.push('message')
    first.send('after the end')
    const gone = next(first, 'close')
    const second = new Socket(peer.replace('http', 'ws'))
    equal((await gone).code, 1001)
    await next(second, 'open')
    equal([first.readyState, second.readyState, late], [3, 1, []])
    second.close()
  },
  'agrees on a protocol': async (peer) => {
    const Socket = createWebSocket()
    const socket = new Socket(peer.replace('http', 'ws'), ['one', 'two'])
    await next(socket, 'open')
    equal(socket.protocol, 'one')
    socket.close()
  },
  'refuses wrong addresses, protocols and codes': async (peer) => {
    const Socket = createWebSocket()
    throws('SyntaxError', () => new Socket('ftp://h'))
    throws('SyntaxError', () => new Socket('ws://h/#f'))
    throws('SyntaxError', () => new Socket('ws://h', ['a', 'a']))
    const socket = await open(peer, Socket)
    throws('InvalidAccessError', () => socket.close(1001))
    throws('SyntaxError', () => socket.close(1000, '茶'.repeat(42)))
    socket.close()
  },
}
