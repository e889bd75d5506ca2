/** All checks, one file for each part of the platform, and what runs them. */
const suites = {
  abort: require('./abort'),
  encoding: require('./encoding'),
  url: require('./url'),
  headers: require('./headers'),
  blob: require('./blob'),
  form: require('./form'),
  messages: require('./messages'),
  streams: require('./streams'),
  fetch: require('./fetch'),
  uploads: require('./uploads'),
  events: require('./events'),
  'event-source': require('./event-source'),
  'web-socket': require('./web-socket'),
  storage: require('./storage'),
  install: require('./install'),
}

/** A check that never ends is a failed one. */
const withDeadline = (promise) =>
  Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Error('not within 5 s')), 5000))])

/** Runs every check against a peer; answers one line each. */
const runAll = async (peer) => {
  const results = []
  for (const [suite, checks] of Object.entries(suites))
    for (const [name, run] of Object.entries(checks)) {
      let error = null
      try {
        await withDeadline(Promise.resolve(run(peer)))
      } catch (reason) {
        error = String(reason?.message ?? reason)
      }
      results.push({ suite, name, error })
    }
  return results
}

module.exports = { runAll }
