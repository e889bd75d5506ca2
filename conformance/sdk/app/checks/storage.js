const { createStorage } = require('@teahouse/sdk')
const { equal, throws } = require('./tools')

module.exports = {
  'keeps texts, the empty one too': () => {
    const storage = createStorage(wx, 'check-')
    storage.clear()
    equal([storage.getItem('a'), storage.length], [null, 0])
    storage.setItem('a', '')
    storage.setItem('b', '=茶')
    equal([storage.getItem('a'), storage.getItem('b'), storage.length, storage.key(9)], ['', '=茶', 2, null])
    storage.removeItem('a')
    equal([storage.getItem('a'), storage.key(0)], [null, 'b'])
    storage.clear()
    equal(storage.length, 0)
  },
  "leaves the app's own keys alone": () => {
    wx.setStorageSync('own', 'x')
    createStorage(wx, 'check-').clear()
    equal(wx.getStorageSync('own'), 'x')
    wx.removeStorageSync('own')
  },
  'a value that is too large is a QuotaExceededError': () => {
    const storage = createStorage(wx, 'check-')
    throws('QuotaExceededError', () => storage.setItem('a', 'x'.repeat(1024 * 1024 + 1)))
  },
}
