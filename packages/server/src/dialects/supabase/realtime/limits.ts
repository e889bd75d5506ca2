/** How much one client may do, and the words in which it is told that it did more. */

export interface RealtimeLimits {
  /** Channels of one socket. */
  readonly channels: number
  /** Joins per second of one socket. */
  readonly joinsPerSecond: number
  /** Messages per second of one socket, heartbeats and joins not counted. */
  readonly eventsPerSecond: number
  /** Presence messages per second of one channel. */
  readonly presencePerSecond: number
  /** Bytes of one broadcast payload. */
  readonly payloadBytes: number
  /** Bytes of one presence payload. */
  readonly presenceBytes: number
  /** Characters of a topic. */
  readonly topicLength: number
  /** Sockets of the whole node. */
  readonly sockets: number
  /** Messages of one REST request. */
  readonly restMessages: number
}

export const DEFAULT_LIMITS: RealtimeLimits = {
  channels: 100,
  joinsPerSecond: 100,
  eventsPerSecond: 1000,
  presencePerSecond: 50,
  payloadBytes: 3 * 1024 * 1024,
  presenceBytes: 64 * 1024,
  topicLength: 512,
  sockets: 50_000,
  restMessages: 1000,
}

export const refusals = {
  tooManyChannels: 'ChannelRateLimitReached: Too many channels',
  tooManyJoins: 'ClientJoinRateLimitReached: Too many joins per second',
  tooManyEvents: 'MessagePerSecondRateLimitReached: Too many messages per second',
  tooManyPresence: 'ClientPresenceRateLimitReached: Too many presence messages per second',
  tooManySockets: 'ConnectionRateLimitReached: Too many connected users',
  topicMissing: 'TopicNameRequired: You must provide a topic name',
  topicTooLong: 'TopicNameRequired: The topic name is too long',
  unmatched: 'unmatched topic',
  payloadTooLarge: 'PayloadSizeExceeded: The payload is too large',
  presenceTooLarge: 'PresencePayloadTooLarge: The presence payload is too large',
  notReadable: (topic: string) => `Unauthorized: You do not have permissions to read from this Channel topic: ${topic}`,
  notWritable: (topic: string) => `Unauthorized: You do not have permissions to write to this Channel topic: ${topic}`,
  token: (message: string) => `InvalidJWTToken: ${message}`,
  unavailable: 'DatabaseConnectionIssue: The database cannot be reached right now',
  malformed: (what: string) => `MalformedWebSocketMessage: ${what}`,
  unknownEvent: (event: string) => `UnhandledEventMessage: ${event.slice(0, 100)}`,
} as const
