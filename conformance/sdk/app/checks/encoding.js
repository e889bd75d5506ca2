const { TextDecoder, TextEncoder, atob, btoa } = require('@teahouse/sdk')
const { equal, throws } = require('./tools')

const bytes = (...list) => new Uint8Array(list)

module.exports = {
  'encodes UTF-8 of every length': () => {
    equal(new TextEncoder().encode('a¢茶😀'), [0x61, 0xc2, 0xa2, 0xe8, 0x8c, 0xb6, 0xf0, 0x9f, 0x98, 0x80])
    equal(new TextEncoder().encode(), [])
    equal(new TextEncoder().encoding, 'utf-8')
  },
  'encodes lone surrogates as U+FFFD': () => equal(new TextEncoder().encode('\ud800x'), [0xef, 0xbf, 0xbd, 0x78]),
  'encodes into a buffer without splitting a character': () => {
    const target = new Uint8Array(4)
    equal(new TextEncoder().encodeInto('a茶茶', target), { read: 2, written: 4 })
  },
  'decodes characters that arrive in pieces': () => {
    const decoder = new TextDecoder()
    equal(decoder.decode(bytes(0xe8), { stream: true }), '')
    equal(decoder.decode(bytes(0x8c), { stream: true }), '')
    equal(decoder.decode(bytes(0xb6, 0xf0, 0x9f), { stream: true }), '茶')
    equal(decoder.decode(bytes(0x98, 0x80)), '😀')
  },
  'drops a byte order mark, once, unless told otherwise': () => {
    equal(new TextDecoder().decode(bytes(0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf, 0x61)), '\ufeffa')
    equal(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa')
    const decoder = new TextDecoder()
    equal(decoder.decode(bytes(0xef, 0xbb), { stream: true }) + decoder.decode(bytes(0xbf, 0x61)), 'a')
  },
  'replaces what is broken, maximal parts at a time': () => {
    equal(new TextDecoder().decode(bytes(0xf0, 0x9f, 0x98, 0x61)), '\ufffda')
    equal(new TextDecoder().decode(bytes(0xed, 0xa0, 0x80)), '\ufffd\ufffd\ufffd')
    equal(new TextDecoder().decode(bytes(0xe8)), '\ufffd')
  },
  'refuses what is broken when fatal, at the end of a stream too': () => {
    const decoder = new TextDecoder('utf-8', { fatal: true })
    throws('TypeError', () => decoder.decode(bytes(0xff)))
    decoder.decode(bytes(0xe8), { stream: true })
    throws('TypeError', () => decoder.decode())
    equal(decoder.decode(bytes(0x61)), 'a')
  },
  'reads views at their place in a buffer': () =>
    equal(new TextDecoder().decode(bytes(1, 0x61, 0x62, 2).subarray(1, 3)), 'ab'),
  'knows labels of UTF-8 and refuses others': () => {
    equal(new TextDecoder('UTF8').encoding, 'utf-8')
    throws('RangeError', () => new TextDecoder('shift_jis'))
  },
  'btoa and atob are inverse over bytes': () => {
    let text = ''
    for (let code = 0; code < 256; code++) text += String.fromCharCode(code)
    equal(atob(btoa(text)), text)
    equal(btoa('a'), 'YQ==')
    equal(atob(' Y Q '), 'a')
    throws('InvalidCharacterError', () => btoa('茶'))
    throws('InvalidCharacterError', () => atob('YQ='))
  },
}
