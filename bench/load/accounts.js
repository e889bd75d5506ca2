/** Load over HTTP in which every request differs: codes that are good once, tokens of many people, and refresh tokens that come with the answer before. */
import autocannon from 'autocannon'
import { serve } from '../lib/child.js'
import { watch } from './watch.js'

/** Connections share the list without sharing a request: each begins at a place of its own and goes on from there. */
const spread = (requests) => {
  let connections = 0
  return (connection) => {
    const at = connections
    connections += 1
    return (all) => {
      const slice = Math.floor(requests.length / all)
      connection.setRequests([...requests.slice(at * slice), ...requests.slice(0, at * slice)])
    }
  }
}

/** Each connection is a session that lives by the refresh token that it was given last. */
const chained = ({ path, headers, tokens }) => {
  let connections = 0
  return (connection) => {
    let token = tokens[connections % tokens.length]
    connections += 1
    return () =>
      connection.setRequests([
        {
          method: 'POST',
          path,
          headers,
          setupRequest: (request) => ({ ...request, body: JSON.stringify({ refresh_token: token }) }),
          onResponse: (status, body) => {
            if (status === 200) token = JSON.parse(body).refresh_token
          },
        },
      ])
  }
}

const run = async ({ url, connections, seconds, warmSeconds, groups = [] }, first, preparing) => {
  const setupClient = (connection) => preparing(connection)(connections)
  const options = { url, requests: [first], connections, duration: 3600, sampleInt: 50, setupClient }
  return watch(
    autocannon(options, () => {}),
    { url, seconds, warmSeconds, groups },
  )
}

serve({
  /** `requests` are asked once each, by whichever connection, and again from the beginning when they are used up. */
  spread: (job) => run(job, job.requests[0], spread(job.requests)),

  /** A refresh on each connection, the next with what the last one answered. */
  chain: (job) => run(job, { method: 'POST', path: job.path, headers: job.headers, body: '{}' }, chained(job)),
})
