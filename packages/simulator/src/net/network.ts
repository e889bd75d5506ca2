/** The network of the machine, as the wx core uses it. */
import type { NetworkHost } from '../wx/host.ts'
import { startHttp } from './http.ts'
import { startSocket } from './socket.ts'

/** Real HTTP and WebSockets. */
export const nodeNetwork: NetworkHost = { http: startHttp, socket: startSocket }
