/** A server with everything switched on that the clients have methods for, its mailbox, and a provider to log in at. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Mailbox, startMailbox } from '../../packages/server/test/auth.ts'
import { type OidcServer, startOidc } from '../../packages/server/test/oidc.ts'
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts'

export interface AuthServer {
  readonly server: TestServer
  readonly mailbox: Mailbox
  readonly provider: OidcServer
  stop(): Promise<void>
}

const config = (mailbox: Mailbox, provider: OidcServer): string => `
[auth]
site_url = "http://127.0.0.1:3000"
additional_redirect_urls = ["https://app.example.com/**"]
enable_anonymous_sign_ins = true
enable_manual_linking = true

[auth.email]
enable_confirmations = true
max_frequency = "1s"

[auth.email.smtp]
host = "127.0.0.1"
port = ${new URL(mailbox.url).port}
admin_email = "tea@example.com"
sender_name = "Teahouse"

[auth.email.template.recovery]
subject = "Back in: {{ .Token }}"

[auth.sms]
enable_signup = true
enable_confirmations = true
max_frequency = "1s"

[auth.sms.test_otp]
13800138000 = "123456"
13800138001 = "123456"

[auth.external.keycloak]
enabled = true
client_id = "${provider.clientId}"
secret = "env(PROVIDER_SECRET)"
url = "${provider.url}"
skip_nonce_check = true
`

/** Starts the real command with a project folder of its own. `more` is added to its supabase/config.toml. */
export const startAuthServer = async (more = ''): Promise<AuthServer> => {
  const [mailbox, provider, project] = [await startMailbox(), await startOidc(), await temporaryFolder()]
  await mkdir(join(project.path, 'supabase'))
  await writeFile(join(project.path, 'supabase', 'config.toml'), config(mailbox, provider) + more)
  const server = await startServer({
    args: ['--dev'],
    cwd: project.path,
    env: { PROVIDER_SECRET: provider.secret },
  })
  return {
    server,
    mailbox,
    provider,
    stop: async () => {
      await server.stop()
      await Promise.all([mailbox.close(), provider.close(), project.remove()])
    },
  }
}
