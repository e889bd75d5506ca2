/** PostgreSQL settings of an embedded server: durable, ready for logical replication, small at rest. Addresses are not here: the supervisor gives them on the command line. */
import { EmbeddedError } from './error.ts'

/** Values for postgresql.conf. */
export type Settings = Readonly<Record<string, string | number | boolean>>

const base: Settings = {
  fsync: true,
  synchronous_commit: true,
  full_page_writes: true,
  wal_level: 'logical',
  max_connections: 100,
  max_replication_slots: 64,
  max_wal_senders: 64,
  // An abandoned slot must not fill the disk; a reader this far behind starts again from a snapshot.
  max_slot_wal_keep_size: '2GB',
  max_wal_size: '1GB',
  min_wal_size: '64MB',
  shared_buffers: '128MB',
  max_worker_processes: 8,
  autovacuum_max_workers: 2,
  jit: false,
  timezone: 'UTC',
  log_timezone: 'UTC',
  // The packaged OpenSSL is past its end of life, and only this machine can connect.
  ssl: false,
  password_encryption: 'scram-sha-256',
  logging_collector: false,
  log_destination: 'stderr',
  log_line_prefix: '%m [%p] ',
  log_min_messages: 'warning',
  // Statements and details hold people's data; they stay out of the log.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: false,
}

/** Settings that newer servers know; three helper processes less at rest. */
const since18: Settings = { io_method: 'sync' }

/** All settings of a server of this major version, the caller's last. */
export function settingsFor(major: number, extra: Settings = {}): Settings {
  return { ...base, ...(major >= 18 ? since18 : {}), ...extra }
}

/** The text of the configuration file. Throws `bad_setting` for a name or value that could break out of its line. */
export function renderSettings(settings: Settings): string {
  const lines = Object.entries(settings).map(([name, value]) => {
    const text = typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name) || /[\0\r\n]/.test(text)) {
      throw new EmbeddedError(
        'bad_setting',
        `not a PostgreSQL setting: ${JSON.stringify(name)} = ${JSON.stringify(text)}`,
      )
    }
    return `${name} = '${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
  })
  return `# Written by Teahouse at every start. Put your own settings below the include line in postgresql.conf.\n${lines.join('\n')}\n`
}
