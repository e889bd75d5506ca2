// Your server's address and its anonymous key: `teahouse keys` prints both.
const url = ""
const key = ""

// Which client talks to it. "official": supabase-js itself, on the adapter. "stable": supabase-wechat-stable-v2.
const flavour = "official"

module.exports = { url, key, flavour }
