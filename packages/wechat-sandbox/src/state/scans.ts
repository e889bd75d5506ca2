/** QR codes on login pages: opened by a web page, scanned and confirmed by a person. */
import type { Clock } from '../kernel/clock.ts'

export type ScanState = 'waiting' | 'scanned' | 'confirmed' | 'refused' | 'expired'

export interface Scan {
  readonly uuid: string
  readonly appid: string
  readonly redirectUri: string
  readonly state: string
  readonly scope: string
  readonly openedAt: number
  phase: Exclude<ScanState, 'expired'>
  /** Set when confirmed. */
  code: string | null
}

const LIFE = 5 * 60_000
const MOST = 1_000

export class Scans {
  readonly #clock: Clock
  readonly #scans = new Map<string, Scan>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  open(scan: Pick<Scan, 'uuid' | 'appid' | 'redirectUri' | 'state' | 'scope'>): Scan {
    const opened: Scan = { ...scan, openedAt: this.#clock.now(), phase: 'waiting', code: null }
    this.#scans.set(scan.uuid, opened)
    const [oldest] = this.#scans.keys()
    if (this.#scans.size > MOST && oldest !== undefined) this.#scans.delete(oldest)
    return opened
  }

  find(uuid: string): Scan | undefined {
    return this.#scans.get(uuid)
  }

  stateOf(scan: Scan): ScanState {
    const old = this.#clock.now() - scan.openedAt >= LIFE
    return old && scan.phase !== 'confirmed' ? 'expired' : scan.phase
  }

  clear(): void {
    this.#scans.clear()
  }
}
