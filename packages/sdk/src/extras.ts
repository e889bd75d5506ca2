/** What is loaded when it is first used: unusual URLs and their setters, text in pieces and broken text, clones, base64, `install`. */
export { anySignal as _anySignal } from './core/abort-any.ts'
export { atob, btoa } from './core/base64.ts'
export { structuredClone } from './core/clone.ts'
export { TextDecoder, TextEncoder } from './core/encoding.ts'
export { install, webApis } from './install.ts'
export { parseUrl as _parseUrl } from './url/parse.ts'
export { decodeBroken as _decodeBroken } from './url/percent-bytes.ts'
export { setPart as _setPart } from './url/setters.ts'
