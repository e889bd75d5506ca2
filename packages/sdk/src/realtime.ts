/** What is loaded when the first socket or event stream is made. */
export { buildEventSource as _buildEventSource } from './net/event-source.ts'
export { buildWebSocket as _buildWebSocket } from './net/web-socket.ts'
