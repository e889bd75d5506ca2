/** Identifiers and random secrets as a dependency, so that tests are repeatable. */
import { randomBytes, randomUUID } from 'node:crypto'

export interface Ids {
  uuid(): string
  /** `bytes` bytes of cryptographic randomness, base64url without padding. */
  secret(bytes: number): string
}

export const randomIds: Ids = {
  uuid: () => randomUUID(),
  secret: (bytes) => randomBytes(bytes).toString('base64url'),
}
