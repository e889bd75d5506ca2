/** Addresses of the network as limits count them. */
import ipaddr from 'ipaddr.js'

const IPV6_HOST_PARTS = 4

/** One household of the network: an IPv4 address, or the /64 of an IPv6 one, whose owner has 2^64 addresses to change between. */
export const networkKey = (ip: string): string => {
  if (!ipaddr.isValid(ip)) return 'unknown'
  const address = ipaddr.process(ip)
  if (address.kind() === 'ipv4') return address.toString()
  const parts = (address as ipaddr.IPv6).parts.slice(0, IPV6_HOST_PARTS)
  return `${parts.map((part) => part.toString(16)).join(':')}::/64`
}

/** What Postgres's inet takes; an unknown address becomes the unspecified one. */
export const inet = (ip: string): string => (ipaddr.isValid(ip) ? ipaddr.process(ip).toString() : '0.0.0.0')

/** Whether an address belongs to everybody's internet, rather than to this machine, its network, or a cloud's metadata service. */
export const isPublicAddress = (ip: string): boolean => ipaddr.isValid(ip) && ipaddr.process(ip).range() === 'unicast'

/** Whether an address is this machine's own. */
export const isLoopbackAddress = (ip: string): boolean =>
  ipaddr.isValid(ip) && ipaddr.process(ip).range() === 'loopback'
