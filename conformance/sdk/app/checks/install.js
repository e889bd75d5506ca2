const sdk = require('@teahouse/sdk')
const { equal, ok } = require('./tools')

module.exports = {
  'importing defines nothing': () =>
    equal([typeof globalThis.FormData, typeof globalThis.fetch], ['undefined', 'undefined']),
  'install defines what is missing, and says so': () => {
    const target = { URL: 'mine' }
    const names = sdk.install({ target })
    ok(names.includes('FormData') && !names.includes('URL'))
    equal(
      [target.URL, target.FormData === sdk.FormData, typeof target.fetch, typeof target.EventSource],
      ['mine', true, 'function', 'function'],
    )
    equal(sdk.install({ target }), [])
  },
  'minified classes keep the names that libraries look for': () => {
    const { EventSource, WebSocket } = sdk.webApis()
    const classes = {
      Blob: sdk.Blob,
      EventSource,
      File: sdk.File,
      FormData: sdk.FormData,
      Headers: sdk.Headers,
      URL: sdk.URL,
      WebSocket,
    }
    for (const [name, made] of Object.entries(classes)) equal(made.name, name)
    equal(new sdk.FormData().constructor.name, 'FormData')
    equal(Object.prototype.toString.call(new sdk.File([], 'a')), '[object File]')
    equal(String(new sdk.URLSearchParams('a=1')), 'a=1')
  },
  'install takes a choice, and force': () => {
    const target = { URL: 'mine' }
    equal(sdk.install({ target, only: ['URL'], force: true }), ['URL'])
    ok(target.URL === sdk.URL && target.FormData === undefined)
  },
}
