/**
 * What the tests need besides Node: Chromium, CJK fonts, PostgreSQL 15 as the "own server" of an operator, and a NATS server.
 * Installs what is missing where it may (root on Debian), else names it in one line and fails. Never skips silently.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

const hasFont = () => spawnSync('fc-list', [':lang=zh-cn'], { encoding: 'utf8' }).stdout?.trim() !== ''

const NEEDS = [
  {
    name: 'Chromium',
    package: 'chromium',
    present: () =>
      ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].some((path) => existsSync(path)),
  },
  { name: 'fc-list', package: 'fontconfig', present: () => spawnSync('fc-list', ['--version']).status === 0 },
  { name: 'CJK fonts', package: 'fonts-noto-cjk', present: hasFont },
  { name: 'PostgreSQL 15', package: 'postgresql-15', present: () => existsSync('/usr/lib/postgresql/15/bin/postgres') },
  {
    name: 'a NATS server',
    package: 'nats-server',
    present: () => ['/usr/sbin/nats-server', '/usr/bin/nats-server'].some((path) => existsSync(path)),
  },
]

const isDebian = () => existsSync('/etc/debian_version') && existsSync('/usr/bin/apt-get')

const apt = (...args) => {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status } = spawnSync('apt-get', ['-q', '-y', ...args], { env, stdio: ['ignore', 2, 2] })
  return status === 0
}

/** Installs the packages; PostgreSQL's own cluster of Debian is not wanted, the tests start theirs. */
const install = (packages) => {
  if (!existsSync('/etc/postgresql-common/createcluster.conf') && packages.includes('postgresql-15')) {
    apt('update')
    apt('install', '--no-install-recommends', 'postgresql-common')
  }
  const config = '/etc/postgresql-common/createcluster.conf'
  if (existsSync(config) && !/^create_main_cluster = false/m.test(readFileSync(config, 'utf8'))) {
    spawnSync('sed', ['-i', 's/^#\\?create_main_cluster.*/create_main_cluster = false/', config])
  }
  return apt('update') && apt('install', '--no-install-recommends', ...packages)
}

const missing = () => NEEDS.filter((need) => !need.present())

export const prepareMachine = () => {
  const wanted = missing()
  if (wanted.length === 0) return
  const names = wanted.map(({ name }) => name).join(', ')
  if (isDebian() && process.getuid?.() === 0) {
    process.stderr.write(`installing what the tests need: ${names}\n`)
    install(wanted.map((need) => need.package))
  }
  const still = missing()
  if (still.length === 0) return
  const packages = still.map((need) => need.package).join(' ')
  process.stderr.write(
    `The tests need ${still.map(({ name }) => name).join(', ')}. On Debian: sudo apt-get install ${packages}\n`,
  )
  process.exit(1)
}
