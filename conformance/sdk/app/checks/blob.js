const { Blob, File, wxFile } = require('@teahouse/sdk')
const { equal, ok, throws, rejects } = require('./tools')

const path = () => `${wx.env.USER_DATA_PATH}/blob.bin`
const write = (bytes) => wx.getFileSystemManager().writeFileSync(path(), bytes.buffer)

module.exports = {
  'joins texts, buffers, views and blobs': async () => {
    const blob = new Blob(
      ['茶', new Uint8Array([65, 66, 67]).subarray(1), new Uint8Array([68]).buffer, new Blob(['e'])],
      { type: 'Text/Plain' },
    )
    equal([blob.size, blob.type, await blob.text()], [7, 'text/plain', '茶BCDe'])
    equal(Object.prototype.toString.call(blob), '[object Blob]')
  },
  'is a copy of what it was made of': async () => {
    const bytes = new Uint8Array([1, 2])
    const blob = new Blob([bytes])
    bytes[0] = 9
    equal(await blob.bytes(), [1, 2])
  },
  'slices by places from either end': async () => {
    const blob = new Blob(['hello', ' ', 'world'])
    equal(
      await Promise.all([blob.slice(3, 8), blob.slice(-5), blob.slice(4, 2), blob.slice()].map((one) => one.text())),
      ['lo wo', 'world', '', 'hello world'],
    )
    equal(blob.slice(0, 1, 'a/b').type, 'a/b')
  },
  'refuses what is no list': () => throws('TypeError', () => new Blob('text')),
  'a file is a blob with a name': () => {
    const file = new File(['x'], '图.png', { type: 'image/png', lastModified: 5 })
    equal(
      [file.name, file.type, file.lastModified, file.size, file instanceof Blob],
      ['图.png', 'image/png', 5, 1, true],
    )
    ok(typeof new File([], 'a').lastModified === 'number')
  },
  'streams in pieces': async () => {
    const parts = []
    for await (const part of new Blob([new Uint8Array(600000)]).stream()) parts.push(part.length)
    equal([parts.reduce((sum, size) => sum + size, 0), parts.length > 1], [600000, true])
  },
  'a file by path knows its size and type and reads its ranges': async () => {
    write(new Uint8Array([1, 2, 3, 4, 5]))
    const file = wxFile(path(), { type: 'x/y', name: 'a.bin' })
    equal([file.size, file.name, file.type, file instanceof File], [5, 'a.bin', 'x/y', true])
    equal(await file.bytes(), [1, 2, 3, 4, 5])
    equal(await file.slice(1, 4).slice(1).bytes(), [3, 4])
    equal(await new Blob(['<', file.slice(0, 1), '>']).bytes(), [60, 1, 62])
    equal(wxFile(path(), { name: 'a.JPG' }).type, 'image/jpeg')
  },
  'a file by path that is gone fails when it is read': async () => {
    write(new Uint8Array([1]))
    const file = wxFile(path())
    wx.getFileSystemManager().unlinkSync(path())
    await rejects('TypeError', file.text())
  },
}
