const { Headers } = require('@teahouse/sdk')
const { equal, ok, throws } = require('./tools')

module.exports = {
  'names are case-insensitive and given in lower case': () => {
    const headers = new Headers({ 'Content-Type': 'a', X: ' b ' })
    equal(
      [headers.get('content-TYPE'), headers.get('x'), headers.get('y'), [...headers.keys()]],
      ['a', 'b', null, ['content-type', 'x']],
    )
  },
  'append joins, set replaces, delete removes': () => {
    const headers = new Headers([['a', '1']])
    headers.append('A', '2')
    equal(headers.get('a'), '1, 2')
    headers.set('a', '3')
    equal(headers.get('a'), '3')
    headers.delete('a')
    ok(!headers.has('a'))
  },
  'is iterated in the order of names': () =>
    equal(
      [
        ...new Headers([
          ['b', '1'],
          ['a', '2'],
          ['b', '3'],
        ]),
      ],
      [
        ['a', '2'],
        ['b', '1, 3'],
      ],
    ),
  'keeps cookies apart': () => {
    const headers = new Headers([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ])
    equal([headers.getSetCookie(), [...headers].length, headers.get('set-cookie')], [['a=1', 'b=2'], 2, 'a=1, b=2'])
  },
  'copies its own kind': () => equal(new Headers(new Headers({ a: '1' })).get('a'), '1'),
  'refuses wrong names and values': () => {
    throws('TypeError', () => new Headers({ 'a b': '1' }))
    throws('TypeError', () => new Headers({ a: '茶' }))
    throws('TypeError', () => new Headers({ a: '1\n2' }))
    throws('TypeError', () => new Headers([['a']]))
    throws('TypeError', () => new Headers(null))
  },
}
