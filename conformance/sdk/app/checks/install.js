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
  'install takes a choice, and force': () => {
    const target = { URL: 'mine' }
    equal(sdk.install({ target, only: ['URL'], force: true }), ['URL'])
    ok(target.URL === sdk.URL && target.FormData === undefined)
  },
}
