const { Blob, FormData, fetch, wxFile } = require('@teahouse/sdk')
const { equal, ok } = require('./tools')

const file = (name, size) => {
  const path = `${wx.env.USER_DATA_PATH}/${name}`
  wx.getFileSystemManager().writeFileSync(path, new Uint8Array(size).fill(7).buffer)
  return path
}
/** Counts what goes through wx.uploadFile and what is read into memory. */
const watched = async (run) => {
  const calls = { upload: 0, read: 0 }
  const manager = wx.getFileSystemManager()
  const { readFile } = manager
  const { uploadFile } = wx
  wx.uploadFile = (options) => {
    calls.upload++
    return uploadFile(options)
  }
  manager.readFile = (options) => {
    calls.read++
    return readFile(options)
  }
  try {
    const response = await run()
    return { calls, arrived: await response.json() }
  } finally {
    wx.uploadFile = uploadFile
    manager.readFile = readFile
  }
}

module.exports = {
  'one file by path and texts go by wx.uploadFile, unread, with progress': async (peer) => {
    const seen = []
    const form = new FormData()
    form.append('字段', '值')
    form.append('', wxFile(file('a.png', 100000), { onProgress: (progress) => seen.push(progress) }))
    const { calls, arrived } = await watched(() =>
      fetch(`${peer}/echo`, { method: 'POST', body: form, headers: { a: 'b' } }),
    )
    equal([calls, arrived.method, arrived.headers.a], [{ upload: 1, read: 0 }, 'POST', 'b'])
    ok(arrived.headers['content-type'].startsWith('multipart/form-data; boundary='), 'the boundary')
    ok(arrived.body.includes('Content-Type: image/png'), 'the type of the part')
    ok(seen.length > 0 && seen[seen.length - 1].loaded >= 100000, 'progress')
  },
  'PUT goes by wx.uploadFile as POST with its name': async (peer) => {
    const form = new FormData()
    form.append('f', wxFile(file('b.jpg', 10)))
    const { calls, arrived } = await watched(() => fetch(`${peer}/echo`, { method: 'PUT', body: form }))
    equal([calls.upload, arrived.method, arrived.headers['x-http-method-override']], [1, 'POST', 'PUT'])
  },
  'what wx.uploadFile cannot say is read and sent whole': async (peer) => {
    const path = file('c.png', 10)
    const forms = [
      (form) => form.append('f', wxFile(path, { type: 'application/x-own' })),
      (form) => form.append('f', wxFile(path).slice(1)),
      (form) => {
        form.append('f', wxFile(path))
        form.append('g', wxFile(path))
      },
      (form) => {
        form.append('f', wxFile(path))
        form.append('a', '1')
        form.append('a', '2')
      },
    ]
    for (const fill of forms) {
      const form = new FormData()
      fill(form)
      const { calls, arrived } = await watched(() => fetch(`${peer}/echo`, { method: 'POST', body: form }))
      equal([calls.upload, calls.read > 0], [0, true])
      ok(arrived.body.includes('\x07\x07'), 'the bytes')
    }
  },
  'a file by path as the whole body is read when it is sent': async (peer) => {
    const { calls, arrived } = await watched(() =>
      fetch(`${peer}/echo`, { method: 'POST', body: wxFile(file('d.mp4', 5)) }),
    )
    equal(
      [calls, arrived.headers['content-type'], arrived.body],
      [{ upload: 0, read: 1 }, 'video/mp4', '\x07'.repeat(5)],
    )
  },
  'a part of a file is read alone': async (peer) => {
    const part = wxFile(file('e.bin', 1000)).slice(10, 20)
    const { arrived } = await watched(() => fetch(`${peer}/echo`, { method: 'POST', body: new Blob([part]) }))
    equal(arrived.body.length, 10)
  },
}
