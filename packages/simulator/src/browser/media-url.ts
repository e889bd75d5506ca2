/** Addresses of pictures and videos: the network as it is, files of the phone as blobs, the code package from the server. */
import { directoryOf, joinPath } from '../framework/loader.ts'
import { mimeOf } from '../wx/media-types.ts'
import type { VirtualFiles } from '../wx/virtual-files.ts'
import { packageUrl } from './screen.ts'

const LOCAL = /^(?:http|wxfile):\/\/(?:usr|tmp|store)(?=[/_]|$)/

/** Builds the resolver; blobs are made once for each content. */
export function createMediaUrl(files: VirtualFiles): (path: string, from: string) => string {
  const blobs = new WeakMap<Uint8Array, string>()
  return (path, from) => {
    if (LOCAL.test(path)) {
      if (!files.exists(path)) return 'about:invalid'
      const bytes = files.read(path)
      const known = blobs.get(bytes)
      if (known) return known
      const url = URL.createObjectURL(new Blob([new Uint8Array(bytes)], { type: mimeOf(bytes, path) }))
      blobs.set(bytes, url)
      return url
    }
    if (/^(https?:|data:|blob:|\/\/)/.test(path)) return path
    return packageUrl(joinPath(directoryOf(`/${from}`), path))
  }
}
