const { Blob, File, FormData, Response, URLSearchParams } = require('@teahouse/sdk')
const { equal, ok, rejects } = require('./tools')

module.exports = {
  'keeps fields in order': () => {
    const form = new FormData()
    form.append('a', 1)
    form.append('b', '2')
    form.append('a', '3')
    equal(
      [form.get('a'), form.getAll('a'), form.get('z'), form.has('b'), [...form.keys()]],
      ['1', ['1', '3'], null, true, ['a', 'b', 'a']],
    )
    form.set('a', '4')
    equal(
      [...form],
      [
        ['a', '4'],
        ['b', '2'],
      ],
    )
    form.delete('a')
    equal([...form.values()], ['2'])
  },
  'makes files of blobs': () => {
    const form = new FormData()
    form.append('a', new Blob(['x'], { type: 't/t' }))
    form.append('b', new File(['y'], 'y.txt'), 'z.txt')
    equal(
      [form.get('a').name, form.get('a').type, form.get('b').name, form.get('b') instanceof File],
      ['blob', 't/t', 'z.txt', true],
    )
  },
  'travels as multipart and back, with any name': async () => {
    const form = new FormData()
    form.append('名"字', '值\n行')
    form.append('f', new File([new Uint8Array([0, 13, 10, 45, 45, 255])], '图"片.png', { type: 'image/png' }))
    const response = new Response(form)
    ok(/^multipart\/form-data; boundary=/.test(response.headers.get('content-type')))
    const back = await response.formData()
    equal(back.get('名"字'), '值\r\n行')
    const file = back.get('f')
    equal([file.name, file.type, await file.bytes()], ['图"片.png', 'image/png', [0, 13, 10, 45, 45, 255]])
  },
  'reads urlencoded bodies': async () => {
    const form = await new Response(new URLSearchParams({ a: '茶 &' })).formData()
    equal([...form], [['a', '茶 &']])
  },
  'refuses other bodies and broken ones': async () => {
    await rejects('TypeError', new Response('x').formData())
    await rejects(
      'TypeError',
      new Response('x', { headers: { 'content-type': 'multipart/form-data; boundary=b' } }).formData(),
    )
  },
}
