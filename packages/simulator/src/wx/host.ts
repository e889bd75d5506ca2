/** What the wx core asks of the place it runs in. Callbacks, not promises, cross this line: the two sides may be different realms. */

export type HeaderList = readonly (readonly [name: string, value: string])[]

/** One HTTP exchange to start. */
export interface HttpCall {
  readonly url: string
  readonly method: string
  readonly headers: HeaderList
  readonly redirect: 'follow' | 'manual'
  readonly body: Uint8Array | null
}

/** What happens to an HTTP exchange. After `end` or `error` nothing follows. */
export interface HttpEvents {
  sent(bytes: number, total: number): void
  head(status: number, headers: HeaderList): void
  data(chunk: Uint8Array): void
  end(): void
  error(message: string): void
}

export interface SocketCall {
  readonly url: string
  readonly protocols: readonly string[]
  readonly headers: HeaderList
  readonly perMessageDeflate: boolean
}

export interface SocketEvents {
  open(headers: HeaderList): void
  message(data: string | Uint8Array): void
  close(code: number, reason: string): void
  error(message: string): void
}

export interface HostSocket {
  send(data: string | Uint8Array): void
  close(code: number, reason: string): void
  /** Drops the connection without a closing handshake, as a lost network does. */
  terminate(): void
}

export interface NetworkHost {
  http(call: HttpCall, events: HttpEvents): { abort(): void }
  socket(call: SocketCall, events: SocketEvents): HostSocket
}

/** Keeps storage and user files between runs. Everything is read once at start. */
export interface PersistenceHost {
  loadStorage(): readonly (readonly [key: string, text: string])[]
  saveStorage(key: string, text: string | null): void
  loadFiles(): readonly (readonly [path: string, bytes: Uint8Array])[]
  saveFile(path: string, bytes: Uint8Array | null): void
  /** A file of the code package, by its absolute path in the mini-program. */
  packageFile(path: string): Uint8Array | null
}

export interface ModalAnswer {
  readonly confirm: boolean
  readonly content?: string
}

/** A file that the user picked. */
export interface PickedFile {
  readonly name: string
  readonly type: string
  readonly bytes: Uint8Array
  readonly width: number
  readonly height: number
  readonly duration: number
  /** A video's first picture as JPEG, where the host can take one. */
  readonly thumb?: Uint8Array | null
}

export interface ChooseCall {
  readonly count: number
  readonly accept: string
  readonly camera: boolean
}

export interface ToastCall {
  readonly title: string
  readonly icon: string
  readonly image: string
  readonly mask: boolean
  readonly kind: 'toast' | 'loading'
}

export interface ModalCall {
  readonly title: string
  readonly content: string
  readonly showCancel: boolean
  readonly cancelText: string
  readonly cancelColor: string
  readonly confirmText: string
  readonly confirmColor: string
  readonly editable: boolean
  readonly placeholderText: string
}

/** What the user sees outside the pages, and what the user answers. */
export interface UiHost {
  showToast(call: ToastCall): void
  hideToast(): void
  showModal(call: ModalCall, done: (answer: ModalAnswer) => void): void
  /** Answers the index, or -1 for cancel. */
  showActionSheet(items: readonly string[], itemColor: string, done: (index: number) => void): void
  previewImage(urls: readonly string[], current: number): void
  /** Answers null for cancel. */
  chooseFiles(call: ChooseCall, done: (files: readonly PickedFile[] | null) => void): void
  /** The pixel size of an encoded image, or null when it is not one. */
  imageSize(bytes: Uint8Array, done: (size: { width: number; height: number } | null) => void): void
  /** The image re-encoded as JPEG, or null when this host cannot. */
  compressImage(bytes: Uint8Array, quality: number, width: number, done: (bytes: Uint8Array | null) => void): void
  clipboard: { get(): string; set(text: string): void }
}

export interface DeviceInfo {
  readonly brand: string
  readonly model: string
  readonly system: string
  readonly platform: string
  readonly pixelRatio: number
  readonly screenWidth: number
  readonly screenHeight: number
  readonly windowWidth: number
  readonly windowHeight: number
  readonly statusBarHeight: number
  readonly safeBottom: number
  readonly language: string
  readonly theme: string
}

/** The answers of people and of WeChat's servers: a test or a sandbox replaces them. */
export interface Hooks {
  /** A login code, or a failure reason. */
  login(done: (answer: { code: string } | { error: string }) => void): void
  /** A code for `getPhoneNumber`, or a failure reason. */
  phoneNumber(done: (answer: { code: string } | { error: string }) => void): void
  /** Whether the session key of the last login is still good; `loggedIn` says whether there was a login since the start. */
  checkSession(loggedIn: boolean, done: (answer: { error?: string }) => void): void
  /** accept, reject or ban, for each template. */
  subscribeMessage(templates: readonly string[], done: (answers: Readonly<Record<string, string>>) => void): void
}

export interface Host {
  readonly network: NetworkHost
  readonly persistence: PersistenceHost
  readonly ui: UiHost
  readonly hooks: Partial<Hooks>
  readonly user: string
  /** The machine's clock; the simulated clock is built on it. */
  now(): number
  setTimeout(run: () => void, delay: number): unknown
  clearTimeout(handle: unknown): void
  /** Runs in the next turn, after pending promises, without the delay of a timer. */
  turn(run: () => void): void
  log(level: 'log' | 'warn' | 'error', ...parts: unknown[]): void
  device(): DeviceInfo
}
