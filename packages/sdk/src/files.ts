/** What is loaded with the first file, form or stream: blobs, multipart, uploads by path, answers in chunks, copies of messages. */
export {
  cloneRequest as _cloneRequest,
  cloneResponse as _cloneResponse,
  errorResponse as _errorResponse,
  jsonResponse as _jsonResponse,
  redirectResponse as _redirectResponse,
} from './body/copies.ts'
export { Blob, File, wxFile } from './body/files.ts'
export { FormData } from './body/form-data.ts'
export { parseForm as _parseForm, toMultipart as _toMultipart } from './body/multipart.ts'
export { ReadableStream, readAll as _readAll } from './body/stream.ts'
export { StreamedAnswer as _StreamedAnswer } from './net/streamed-answer.ts'
export { startUpload as _startUpload, uploadOf as _uploadOf } from './net/upload.ts'
