const { URL, URLSearchParams } = require('@teahouse/sdk')
const { equal, ok, throws } = require('./tools')

const hrefs = {
  'HTTP://EXAMPLE.com:80/a/../b/./c?q#f': 'http://example.com/b/c?q#f',
  'https://h:8443': 'https://h:8443/',
  'http://127.1/': 'http://127.0.0.1/',
  'http://0x7f.1': 'http://127.0.0.1/',
  'http://[1:0:0:0:0:0:0:1]/': 'http://[1::1]/',
  'http://茶馆.中国/茶?茶#茶': 'http://xn--cl1ay07b.xn--fiqs8s/%E8%8C%B6?%E8%8C%B6#%E8%8C%B6',
  'http:\\\\h\\p': 'http://h/p',
  ' http://h/ ': 'http://h/',
  'http://u:p@h/': 'http://u:p@h/',
  'mailto:a@b': 'mailto:a@b',
  "http://h/?'": 'http://h/?%27',
}

module.exports = {
  'writes the normal form': () => {
    for (const [input, expected] of Object.entries(hrefs)) equal(new URL(input).href, expected, input)
  },
  'refuses what is no URL': () => {
    for (const input of [
      '',
      '/a',
      'http://',
      'http://a b/',
      'http://h:99999',
      'http://[::1',
      'http://256.1.1.1',
      'http://%00/',
    ])
      throws('TypeError', () => new URL(input))
    equal([URL.canParse('x'), URL.canParse('x', 'http://h'), URL.parse('x')], [false, true, null])
  },
  'has all parts': () => {
    const url = new URL('https://u:p@h:8000/a/b?c=d#e')
    equal(
      [
        url.protocol,
        url.username,
        url.password,
        url.host,
        url.hostname,
        url.port,
        url.pathname,
        url.search,
        url.hash,
        url.origin,
      ],
      ['https:', 'u', 'p', 'h:8000', 'h', '8000', '/a/b', '?c=d', '#e', 'https://h:8000'],
    )
    equal([String(url), JSON.stringify(url)], [url.href, `"${url.href}"`])
  },
  'resolves against a base': () => {
    const at = (input) => new URL(input, 'http://h/a/b?q#f').href
    equal(['c', '../c', '/c', '?c', '#c', '//i/c', 'https://i'].map(at), [
      'http://h/a/c',
      'http://h/c',
      'http://h/c',
      'http://h/a/b?c',
      'http://h/a/b?q#c',
      'http://i/c',
      'https://i/',
    ])
  },
  'changes by its setters': () => {
    const url = new URL('http://h/a')
    url.protocol = 'https'
    url.host = 'i:99'
    url.pathname = '茶 x'
    url.search = 'a=b'
    url.hash = 'z'
    equal(url.href, 'https://i:99/%E8%8C%B6%20x?a=b#z')
    url.port = '443'
    equal(url.port, '')
    throws('TypeError', () => {
      url.href = 'nothing'
    })
  },
  'search and searchParams are one': () => {
    const url = new URL('http://h/?a=1')
    url.searchParams.append('b', '茶 &')
    equal(url.href, 'http://h/?a=1&b=%E8%8C%B6+%26')
    url.search = '?c=3'
    equal([...url.searchParams], [['c', '3']])
    url.searchParams.delete('c')
    equal(url.href, 'http://h/')
  },
  'URLSearchParams takes text, pairs, records and its own kind': () => {
    equal(new URLSearchParams('?a=1&a=2&b').toString(), 'a=1&a=2&b=')
    equal(new URLSearchParams([['a', 'x y']]).toString(), 'a=x+y')
    equal(new URLSearchParams({ a: '1', b: '2' }).toString(), 'a=1&b=2')
    equal(new URLSearchParams(new URLSearchParams('a=%2B')).get('a'), '+')
    throws('TypeError', () => new URLSearchParams([['a']]))
  },
  'URLSearchParams changes, finds and sorts': () => {
    const params = new URLSearchParams('b=1&a=2&b=3')
    equal([params.get('b'), params.getAll('b'), params.get('z'), params.size], ['1', ['1', '3'], null, 3])
    params.set('b', '4')
    equal(params.toString(), 'b=4&a=2')
    params.sort()
    equal([...params.keys()], ['a', 'b'])
    ok(params.has('a', '2') && !params.has('a', '3'))
    params.delete('a', '3')
    equal(params.size, 2)
    const seen = []
    params.forEach((value, name) => void seen.push(name + value))
    equal(seen, ['a2', 'b4'])
  },
  'its iterators are live': () => {
    const params = new URLSearchParams('a=1&b=2&c=3')
    const seen = []
    for (const [name] of params) {
      seen.push(name)
      params.delete(name)
    }
    equal(seen, ['a', 'c'])
  },
}
