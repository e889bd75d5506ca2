/** Choosing, measuring, compressing and saving pictures. */
import { arrayOf, asyncApi, numberOf, type Options, type Settle, stringOf, wrongParameter } from './call.ts'
import type { PickedFile } from './host.ts'
import { extensionOf, imageTypeOf } from './media-types.ts'
import type { Phone } from './phone.ts'
import { FileRefusal, type VirtualFiles } from './virtual-files.ts'

const acceptOf = (kinds: readonly unknown[]): string =>
  kinds.includes('mix') || (kinds.includes('image') && kinds.includes('video'))
    ? 'image/*,video/*'
    : kinds.includes('video')
      ? 'video/*'
      : 'image/*'

const isVideo = (file: PickedFile) => file.type.startsWith('video/')

/** Asks the host for files and keeps them as temporary files. */
function choose(
  phone: Phone,
  files: VirtualFiles,
  options: Options,
  accept: string,
  done: (picked: (PickedFile & { path: string })[] | null) => void,
): void {
  const count = Math.min(Math.max(numberOf(options.count, 9), 1), phone.settings.limits.chooseCount)
  const source = arrayOf(options.sourceType)
  const camera = source.length === 1 && source[0] === 'camera'
  phone.host.ui.chooseFiles({ count, accept, camera }, (picked) => {
    if (!picked || picked.length === 0) return done(null)
    done(
      picked.slice(0, count).map((file) => {
        const bytes = new Uint8Array(file.bytes)
        return { ...file, bytes, path: files.addTemporary(bytes, extensionOf(bytes, file.name, file.type)) }
      }),
    )
  })
}

function createChoosers(phone: Phone, files: VirtualFiles) {
  const refusal = (name: string) => phone.takeFailure(name)?.reason ?? null
  return {
    chooseMedia: asyncApi('chooseMedia', phone, (options, settle) => {
      const planned = refusal('chooseMedia')
      if (planned) return settle.fail(planned)
      const kinds = Array.isArray(options.mediaType) ? options.mediaType : ['image', 'video']
      choose(phone, files, options, acceptOf(kinds), (picked) => {
        if (!picked) return settle.fail('cancel')
        const videos = picked.filter(isVideo).length
        const type = videos === 0 ? 'image' : videos === picked.length ? 'video' : 'mix'
        settle.ok({ type, tempFiles: picked.map((file) => tempMedia(files, file)), failedCount: 0 })
      })
    }),
    chooseImage: asyncApi('chooseImage', phone, (options, settle) => {
      const planned = refusal('chooseImage')
      if (planned) return settle.fail(planned)
      choose(phone, files, options, 'image/*', (picked) => {
        if (!picked) return settle.fail('cancel')
        settle.ok({
          tempFilePaths: picked.map((file) => file.path),
          tempFiles: picked.map((file) => ({ path: file.path, size: file.bytes.length })),
        })
      })
    }),
    chooseMessageFile: asyncApi('chooseMessageFile', phone, (options, settle) => {
      choose(phone, files, options, '*/*', (picked) => {
        if (!picked) return settle.fail('cancel')
        const time = Math.floor(phone.clock.now() / 1000)
        settle.ok({
          tempFiles: picked.map((file) => ({
            path: file.path,
            name: file.name,
            size: file.bytes.length,
            type: file.type.startsWith('image/') ? 'image' : isVideo(file) ? 'video' : 'file',
            time,
          })),
        })
      })
    }),
  }
}

const tempMedia = (files: VirtualFiles, file: PickedFile & { path: string }) => ({
  tempFilePath: file.path,
  size: file.bytes.length,
  fileType: isVideo(file) ? 'video' : 'image',
  width: file.width,
  height: file.height,
  duration: file.duration,
  thumbTempFilePath: file.thumb ? files.addTemporary(new Uint8Array(file.thumb), 'jpg') : '',
})

/** Reads a file for an API, or fails it. */
function readFor(files: VirtualFiles, path: string, settle: Settle, reason: string): Uint8Array | null {
  try {
    return files.read(path)
  } catch (error) {
    if (!(error instanceof FileRefusal)) throw error
    settle.fail(reason)
    return null
  }
}

/** Builds the picture functions. `fetchImage` brings a network picture into a temporary file. */
export function createMedia(
  phone: Phone,
  files: VirtualFiles,
  fetchImage: (url: string, done: (path: string | null) => void) => void,
) {
  const info = (path: string, settle: Settle) => {
    const bytes = readFor(files, path, settle, 'file not found')
    if (!bytes) return
    phone.host.ui.imageSize(bytes, (size) => {
      if (!size) return settle.fail('image format not supported')
      settle.ok({ ...size, width: size.width, height: size.height, path, type: imageTypeOf(bytes), orientation: 'up' })
    })
  }
  return {
    ...createChoosers(phone, files),
    getImageInfo: asyncApi('getImageInfo', phone, (options, settle) => {
      const wrong = wrongParameter(options, 'src', 'String')
      if (wrong) return settle.fail(wrong)
      const src = stringOf(options.src)
      if (!/^https?:\/\/(?!(usr|tmp|store)(\/|$))/.test(src)) return info(src, settle)
      fetchImage(src, (path) => (path ? info(path, settle) : settle.fail('download image fail')))
    }),
    compressImage: asyncApi('compressImage', phone, (options, settle) => {
      const bytes = readFor(files, stringOf(options.src), settle, 'file not found')
      if (!bytes) return
      const quality = numberOf(options.quality, 80) / 100
      phone.host.ui.compressImage(bytes, quality, numberOf(options.compressedWidth, 0), (compressed) => {
        const result = compressed ? new Uint8Array(compressed) : bytes
        settle.ok({ tempFilePath: files.addTemporary(result, extensionOf(result, stringOf(options.src))) })
      })
    }),
    saveImageToPhotosAlbum: asyncApi('saveImageToPhotosAlbum', phone, (options, settle) => {
      if (readFor(files, stringOf(options.filePath), settle, 'file not exists')) settle.ok()
    }),
    saveVideoToPhotosAlbum: asyncApi('saveVideoToPhotosAlbum', phone, (options, settle) => {
      if (readFor(files, stringOf(options.filePath), settle, 'file not exists')) settle.ok()
    }),
  }
}
