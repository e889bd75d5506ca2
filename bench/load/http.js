/** Load over HTTP: autocannon, the same requests over and over. */
import autocannon from 'autocannon'
import { serve } from '../lib/child.js'
import { watch } from './watch.js'

serve({
  /** Requests go round robin on each connection, the next when the last was answered. `groups` are lists of processes to watch. */
  async run({ url, requests, connections, seconds, warmSeconds, groups = [] }) {
    // Each connection walks the list from its beginning; the rate is not limited.
    const instance = autocannon({ url, requests, connections, duration: 3600, sampleInt: 50 }, () => {})
    return watch(instance, { url, seconds, warmSeconds, groups })
  },
})
