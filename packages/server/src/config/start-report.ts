/** What `teahouse start --json` prints once requests are served: one line, a contract with scripts. What does not exist yet is null. */

export interface StartReport {
  readonly url: string
  readonly consoleUrl: string | null
  /** TCP on 127.0.0.1 as the database owner (embedded), or the operator's own URL. */
  readonly databaseUrl: string
  readonly anonKey: string
  readonly serviceKey: string
  readonly publishableKey: string
  readonly secretKey: string
  readonly jwtSecret: string
  /** With `--dev`: where a simulator gets its codes. */
  readonly wechatSandboxUrl: string | null
  /** The mini-program that people log in from. */
  readonly appId: string | null
  readonly serverSecret: string | null
}
