/** The command line: names every command and gives each its settings. A command is loaded when it is asked for: `status` needs no HTTP server. */
import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { loadConfig, processTerminal } from './cli/context.ts'
import type { Config, Flags } from './config/config.ts'
import { START_OPTIONS, type StartFlag, variableOf } from './config/options.ts'
import { AppError, toError } from './kernel/errors.ts'

const terminal = processTerminal

/** Adds flags to a command; each has a variable of the same name. */
const withFlags = (command: Command, flags: readonly StartFlag[]): Command => {
  for (const spec of START_OPTIONS.filter(({ flag }) => flags.includes(flag))) {
    const fallback = 'fallback' in spec ? ` (default: ${spec.fallback})` : ''
    const name = 'value' in spec ? `--${spec.flag} <${spec.value}>` : `--${spec.flag}`
    command.option(name, `${spec.help}${fallback} [${variableOf(spec.flag)}]`)
  }
  return command
}

/** Commander's camel-case option names back to our flags; it turns `--no-x` into `x: false`. */
const flagsOf = (options: Readonly<Record<string, unknown>>): Flags => {
  const flags: Partial<Record<StartFlag, string | boolean>> = {}
  for (const { flag } of START_OPTIONS) {
    const negated = flag.startsWith('no-')
    const key = flag.replace(/^no-/, '').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
    const value = options[key]
    if (negated && value === false) flags[flag] = true
    else if (!negated && (typeof value === 'string' || value === true)) flags[flag] = value
  }
  return flags
}

const ALL = START_OPTIONS.map(({ flag }) => flag)
const WHERE = ['data-dir', 'database-url', 'json'] as const

/** An action that gets its settings first and fails with one clear line. */
const action =
  <Arguments extends unknown[]>(run: (config: Config, ...rest: Arguments) => Promise<void>) =>
  async (...all: unknown[]): Promise<void> => {
    // Commander's convention: positional arguments, then the options, then the command itself.
    const command = all.at(-1) as Command
    const positional = all.slice(0, -2) as Arguments
    await run(await loadConfig(flagsOf(command.opts())), ...positional)
  }

/** The version of this package. */
const version = async (): Promise<string> => {
  // Our own package.json.
  const { version: text } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return text
}

const HELP = `
Every flag has an environment variable: --data-dir is TEAHOUSE_DATA_DIR. A flag wins over the variable.
Schemas, row limit and file size limit are read from supabase/config.toml in the working directory.

  npx teahouse start                      run it; the first start makes database and keys
  npx teahouse sql -c "select now()"      ask the running database
  npx teahouse migrate && npx teahouse seed
  npx teahouse doctor                     what is missing or unsafe, and how to mend it`

const program = new Command('teahouse')
  .description('Teahouse 茶馆: a self-hosted backend for WeChat mini-programs and web pages')
  .version(await version())
  .addHelpText('after', HELP)
  // One line, like every other refusal; commander itself puts its suggestion on a second one.
  .configureOutput({
    outputError: (text) =>
      terminal.say(
        `teahouse: ${text
          .trim()
          .replace(/^error: /, '')
          .replaceAll('\n', ' ')}`,
      ),
  })

withFlags(program.command('start'), ALL)
  .description('run the server')
  .action(action(async (config) => (await import('./cli/start.ts')).start(config, terminal)))

withFlags(program.command('status'), WHERE)
  .description('say whether a server runs here, and where')
  .action(action(async (config) => (await import('./cli/status.ts')).status(config, terminal)))

withFlags(program.command('keys'), ['data-dir', 'jwt-secret', 'json'])
  .description('print the keys')
  .action(action(async (config) => (await import('./cli/keys.ts')).keys(config, terminal)))

withFlags(program.command('doctor'), WHERE)
  .description('look for what is missing, unsafe or running out')
  .addHelpText(
    'after',
    `
Looks at the data dir (permissions, disk, secret), at the database (roles, settings, replication, clock), and names every table
that clients reach without row-level security, and every file of a mini-program below this folder that holds a key of servers.
Changes nothing. Exits 1 when something does not work or is not safe.`,
  )
  .action(
    action(async (config) => {
      const { doctor } = await import('./cli/doctor.ts')
      if (!(await doctor(config, terminal))) process.exitCode = 1
    }),
  )

withFlags(program.command('sql').argument('[file]', 'a file; standard input by default'), WHERE)
  .description('run SQL as the database owner')
  .addHelpText(
    'after',
    '\nSeveral statements are one transaction unless they say otherwise. With --json, one line per statement.',
  )
  .option('-c, --command <sql>', 'the SQL itself')
  .action(async (file: string | undefined, options: Readonly<Record<string, unknown>>) => {
    const { sqlCommand } = await import('./cli/sql.ts')
    const { command } = options
    const given = { file: file ?? null, command: typeof command === 'string' ? command : null }
    await sqlCommand(await loadConfig(flagsOf(options)), terminal, given)
  })

withFlags(program.command('migrate').argument('[project]', 'folder that holds supabase/', '.'), WHERE)
  .description('apply supabase/migrations')
  .addHelpText('after', '\nFiles <14 digits>_<name>.sql, in order, each once and in a transaction of its own.')
  .action(
    action(async (config, project: string) => {
      const { migrateCommand } = await import('./cli/migrate.ts')
      await migrateCommand(config, terminal, project)
    }),
  )

withFlags(program.command('seed').argument('[project]', 'folder that holds supabase/', '.'), WHERE)
  .description('run supabase/seed.sql')
  .action(
    action(async (config, project: string) => {
      const { seedCommand } = await import('./cli/migrate.ts')
      await seedCommand(config, terminal, project)
    }),
  )

const functions = program.command('functions').description('cloud functions')

withFlags(functions.command('deploy').argument('<folder>', 'a function, or a folder of functions'), WHERE)
  .description('deploy: index.js, package.json with its dependencies, config.json with timers and limits')
  .addHelpText(
    'after',
    `
Dependencies are installed here without running their scripts. A running server uses the new version within a second.
config.json: timeout (seconds), memory (MB of heap), concurrency, triggers, permissions.openapi, verify_jwt.`,
  )
  .action(
    action(async (config, folder: string) => {
      const { deployCommand } = await import('./cli/functions.ts')
      await deployCommand(config, terminal, folder)
    }),
  )

withFlags(functions.command('list').argument('[name]', 'one function, with its versions'), WHERE)
  .description('list functions')
  .action(
    action(async (config, name: string | undefined) => {
      const { listCommand } = await import('./cli/functions.ts')
      await listCommand(config, terminal, name ?? null)
    }),
  )

withFlags(functions.command('rollback').argument('<name>').argument('[version]', 'the one before by default'), WHERE)
  .description('run an earlier version again')
  .action(
    action(async (config, name: string, version: string | undefined) => {
      const { rollbackCommand } = await import('./cli/functions.ts')
      await rollbackCommand(config, terminal, { name, version: version === undefined ? undefined : Number(version) })
    }),
  )

withFlags(functions.command('remove').argument('<name>'), WHERE)
  .description('take a function away with all its versions')
  .action(
    action(async (config, name: string) => (await import('./cli/functions.ts')).removeCommand(config, terminal, name)),
  )

withFlags(functions.command('env').argument('<pairs...>', 'KEY=value sets, KEY alone takes away'), WHERE)
  .description('set environment variables of functions')
  .option('--function <name>', 'of one function; of all by default', '')
  .action(async (pairs: string[], options: Readonly<Record<string, unknown>>) => {
    const { variablesCommand } = await import('./cli/functions.ts')
    await variablesCommand(await loadConfig(flagsOf(options)), terminal, { name: String(options.function), pairs })
  })

withFlags(functions.command('logs').argument('<name>'), WHERE)
  .description('print what a function said')
  .option('-n, --limit <number>', 'the latest lines', '200')
  .option('-f, --follow', 'go on as more is said')
  .action(async (name: string, options: Readonly<Record<string, unknown>>) => {
    const { logsCommand } = await import('./cli/functions.ts')
    const given = { name, limit: Number(options.limit), follow: options.follow === true }
    await logsCommand(await loadConfig(flagsOf(options)), terminal, given)
  })

const collections = program.command('collections').description('document collections (wx.cloud)')

withFlags(collections.command('list'), WHERE)
  .description('list collections with their permissions and indexes')
  .action(action(async (config) => (await import('./cli/collections.ts')).listCollections(config, terminal)))

const PERMISSION = 'READONLY, PRIVATE, ADMINWRITE, ADMINONLY, a security rule as JSON, or a .json file'

withFlags(collections.command('create').argument('<name>').argument('[permission]', PERMISSION, 'PRIVATE'), WHERE)
  .description('make a collection')
  .action(
    action(async (config, name: string, permission: string) =>
      (await import('./cli/collections.ts')).createCollection(config, name, permission),
    ),
  )

withFlags(collections.command('permit').argument('<name>').argument('<permission>', PERMISSION), WHERE)
  .description('change who may do what')
  .action(
    action(async (config, name: string, permission: string) =>
      (await import('./cli/collections.ts')).setPermission(config, name, permission),
    ),
  )

withFlags(collections.command('drop').argument('<name>'), WHERE)
  .description('drop a collection with its documents')
  .action(action(async (config, name: string) => (await import('./cli/collections.ts')).dropCollection(config, name)))

withFlags(
  collections
    .command('index')
    .argument('<collection>')
    .argument('<name>')
    .argument('<fields...>', 'a upwards, ~a downwards, a:2dsphere for places'),
  WHERE,
)
  .description('make an index')
  .option('--unique', 'no two documents may have the same key')
  .action(async (collection: string, name: string, fields: string[], options: Readonly<Record<string, unknown>>) => {
    const { createIndex } = await import('./cli/collections.ts')
    await createIndex(await loadConfig(flagsOf(options)), { collection, name, fields, unique: options.unique === true })
  })

withFlags(collections.command('drop-index').argument('<collection>').argument('<name>'), WHERE)
  .description('drop an index')
  .action(
    action(async (config, collection: string, name: string) =>
      (await import('./cli/collections.ts')).dropIndex(config, collection, name),
    ),
  )

const db = program.command('db').description('the database as a whole')

withFlags(db.command('reset').argument('[project]', 'folder that holds supabase/', '.'), WHERE)
  .description('drop everything in the database and bring it back from supabase/')
  .option('--yes', 'do it; without, it only says what would be dropped')
  .addHelpText(
    'after',
    `
Drops every schema with its tables, functions and data, also users, files and messages, makes the product's own anew, then applies
supabase/migrations and supabase/seed.sql. All of the dropping is one transaction. Roles, extensions in the schema "extensions" and
keys stay. The bytes of files go later, when they are swept up. Restart the server afterwards.`,
  )
  .action(async (project: string, options: Readonly<Record<string, unknown>>) => {
    const { dbReset } = await import('./cli/db-reset.ts')
    await dbReset(await loadConfig(flagsOf(options)), terminal, { project, yes: options.yes === true })
  })

try {
  await program.parseAsync()
} catch (thrown) {
  const error = toError(thrown)
  terminal.say(`teahouse: ${error.message}`)
  if (error instanceof AppError && error.hint !== undefined) terminal.say(`\n  ${error.hint}\n`)
  if (process.env.TEAHOUSE_LOG_LEVEL === 'debug') terminal.say(error.stack ?? '')
  process.exit(1)
}
