/** How wx.cloud answers: by promise, or by callbacks when any is given; errors are objects with a number and a text that begins with the API's name. */

export interface Callbacks {
  readonly success?: (result: never) => void
  readonly fail?: (error: never) => void
  readonly complete?: (result: never) => void
}

/** What a failed call rejects with. */
export interface CloudError extends Error {
  readonly errCode: number
  readonly errMsg: string
}

/** Made by a function: a class of errors would need a language of its own in ES5. */
export const cloudError = (api: string, errCode: number, reason: string): CloudError => {
  const errMsg = `${api}:fail ${reason}`
  return Object.assign(new Error(errMsg), {
    name: 'CloudSDKError',
    errCode,
    errMsg,
    toString: () => `errCode: ${errCode} | errMsg: ${errMsg}`,
  })
}

const isCloudError = (error: unknown): error is CloudError => error instanceof Error && 'errCode' in error

/** Numbers of CloudBase's codes, as the base library maps them. */
const NUMBERS: Readonly<Record<string, number>> = {
  SYS_ERR: -501001,
  SERVER_TIMEOUT: -501002,
  EXCEED_REQUEST_LIMIT: -501003,
  EXCEED_CONCURRENT_REQUEST_LIMIT: -501004,
  INVALIID_ENV: -501005,
  INVALID_COMMON_PARAM: -501006,
  INVALID_PARAM: -501007,
  INVALID_REQUEST_SOURCE: -501008,
  RESOURCE_NOT_INITIAL: -501009,
  DATABASE_REQUEST_FAILED: -502001,
  DATABASE_DUPLICATE_WRITE: -502001,
  DATABASE_TRANSACTION_CONFLICT: -502001,
  DATABASE_INVALID_OPERRATOR: -502002,
  DATABASE_PERMISSION_DENIED: -502003,
  DATABASE_COLLECTION_EXCEED_LIMIT: -502004,
  DATABASE_COLLECTION_NOT_EXIST: -502005,
  STORAGE_REQUEST_FAIL: -503001,
  STORAGE_EXCEED_AUTHORITY: -503002,
  STORAGE_FILE_NONEXIST: -503003,
  STORAGE_SIGN_PARAM_INVALID: -503004,
  FUNCTIONS_REQUEST_FAIL: -504001,
  FUNCTION_NOT_FOUND: -501000,
  FUNCTIONS_EXECUTE_FAIL: -504002,
  FUNCTIONS_TIME_LIMIT_EXCEEDED: -504003,
}

/** Words that stand between number and message for codes whose message is for people. */
const WORDS: Readonly<Record<string, string>> = {
  DATABASE_PERMISSION_DENIED: 'database permission denied. ',
  DATABASE_COLLECTION_NOT_EXIST: 'database collection not exists. ',
  DATABASE_REQUEST_FAILED: 'database request fail. ',
  DATABASE_DUPLICATE_WRITE: 'database request fail. ',
  STORAGE_EXCEED_AUTHORITY: 'storage permission denied. ',
  STORAGE_FILE_NONEXIST: 'storage file not exists. ',
  FUNCTION_NOT_FOUND: 'cloud function not found. ',
  FUNCTIONS_EXECUTE_FAIL: 'cloud function execution error. ',
}

/** A refusal of the server in the base library's words. */
export const refusal = (api: string, code: string, message: string): CloudError => {
  const number = NUMBERS[code] ?? -1
  return cloudError(api, number, `${number} ${WORDS[code] ?? ''}${message}`)
}

/** Whatever went wrong, as an error of this API. */
export const failureOf = (api: string, error: unknown): CloudError => {
  if (isCloudError(error)) return error
  const { errMsg, message } = (error ?? {}) as { readonly errMsg?: string; readonly message?: string }
  return cloudError(api, -1, String(message ?? errMsg ?? error))
}

const isFunction = (value: unknown): value is (argument: unknown) => void => typeof value === 'function'

export const hasCallbacks = (options: Callbacks | undefined): boolean =>
  options !== undefined && (isFunction(options.success) || isFunction(options.fail) || isFunction(options.complete))

/** Answers by promise, or by callbacks (and then nothing). */
export function answer<T extends object>(
  api: string,
  options: Callbacks | undefined,
  work: () => Promise<T>,
): Promise<T & { errMsg: string }> {
  const done = Promise.resolve()
    .then(work)
    .then(
      (result) => Object.assign({}, result, { errMsg: `${api}:ok` }),
      (error: unknown) => {
        throw failureOf(api, error)
      },
    )
  if (!hasCallbacks(options)) return done
  const call = (callback: unknown, argument: unknown): void => {
    if (isFunction(callback)) callback(argument)
  }
  done.then(
    (result) => {
      call(options?.success, result)
      call(options?.complete, result)
    },
    (error: unknown) => {
      call(options?.fail, error)
      call(options?.complete, error)
    },
  )
  // With callbacks there is no promise, as in the base library; whoever looks finds undefined.
  return undefined as unknown as Promise<T & { errMsg: string }>
}
