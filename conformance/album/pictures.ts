/** Things to photograph: painted landscapes as JPEG files, and a short video that is as large as a test wants. Made in the browser, so nothing is stored here. */
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'

/** Paints `count` landscapes and answers their files. */
export async function paintPictures(browser: Browser, folder: string, count: number): Promise<readonly string[]> {
  const page = await browser.newPage()
  try {
    const files: string[] = []
    for (let number = 0; number < count; number++) {
      const path = join(folder, `picture-${number}.jpg`)
      await writeFile(path, Buffer.from(await page.evaluate(paintJpeg, { script: PAINT, number }), 'base64'))
      files.push(path)
    }
    return files
  } finally {
    await page.close()
  }
}

export interface Film {
  readonly path: string
  readonly sha256: string
  readonly size: number
}

/** Records a video of a second, and fills it up with an element that players skip: random bytes, so that nothing can be left out unseen. */
export async function recordFilm(browser: Browser, folder: string, size: number): Promise<Film> {
  const page = await browser.newPage()
  try {
    const short = Buffer.from(await page.evaluate(recordWebm, { script: PAINT }), 'base64')
    const head = Buffer.alloc(9)
    // EBML: a Void element whose length takes eight bytes.
    head[0] = 0xec
    head.writeBigUInt64BE(BigInt(size - short.length - head.length) | (1n << 56n), 1)
    const bytes = Buffer.concat([short, head, randomBytes(size - short.length - head.length)])
    const path = join(folder, 'film.webm')
    await writeFile(path, bytes)
    return { path, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  } finally {
    await page.close()
  }
}

/** A sky, a sun, hills and a lake, in the colours of a time of the day. Runs in the page. */
const PAINT = `
const SKIES = [['#f7d9b0','#e9a977','#7f8f6b'],['#cfe3ee','#9fc3d6','#5f8a76'],['#f3c6b6','#b77b8e','#4d5a6e'],['#e8efd9','#b9cf9f','#6f8f5f'],
  ['#2f3b57','#5b6a8f','#25304a'],['#fbe7c6','#f0bf6c','#8a9a5b'],['#dfe9f0','#8fb0c9','#45647c'],['#f6e0e6','#cf97ad','#7a5a78'],['#e3f0ea','#86b8a6','#3f7466']]
const paint = (canvas, number, time) => {
  const c = canvas.getContext('2d'), { width: w, height: h } = canvas
  const [high, low, hill] = SKIES[number % SKIES.length]
  const sky = c.createLinearGradient(0, 0, 0, h * 0.75)
  sky.addColorStop(0, high); sky.addColorStop(1, low)
  c.fillStyle = sky; c.fillRect(0, 0, w, h)
  const x = w * (0.2 + ((number * 37) % 60) / 100), y = h * (0.22 + 0.06 * Math.sin(time * 3))
  const glow = c.createRadialGradient(x, y, 0, x, y, w * 0.3)
  glow.addColorStop(0, 'rgba(255,248,225,0.95)'); glow.addColorStop(0.22, 'rgba(255,244,210,0.9)')
  glow.addColorStop(0.24, 'rgba(255,240,200,0.35)'); glow.addColorStop(1, 'rgba(255,240,200,0)')
  c.fillStyle = glow; c.fillRect(0, 0, w, h)
  for (let layer = 0; layer < 4; layer++) {
    c.globalAlpha = 0.35 + layer * 0.2; c.fillStyle = hill; c.beginPath(); c.moveTo(0, h)
    for (let at = 0; at <= w * 1.05; at += w / 60)
      c.lineTo(at, h * (0.52 + layer * 0.12) - h * 0.1 * Math.sin(at / w * (4 + layer) + number * 2 + layer * 1.7) - h * 0.03 * Math.sin(at / w * 17 + number))
    c.lineTo(w * 1.05, h); c.fill()
  }
  c.globalAlpha = 1
}`

const paintJpeg = ({ script, number }: { script: string; number: number }): Promise<string> => {
  const canvas = document.createElement('canvas')
  canvas.width = number % 2 === 0 ? 1280 : 960
  canvas.height = number % 2 === 0 ? 960 : 1280
  new Function(`${script}; return paint`)()(canvas, number, 0)
  return Promise.resolve(canvas.toDataURL('image/jpeg', 0.9).split(',')[1] ?? '')
}

/** Draws frames for a good second. A machine that is busy records few of them, or none: then once more. */
const recordWebm = async ({ script }: { script: string }): Promise<string> => {
  const canvas = document.createElement('canvas')
  canvas.width = 480
  canvas.height = 360
  const paint = new Function(`${script}; return paint`)()
  const record = async (): Promise<Blob> => {
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm' })
    const parts: Blob[] = []
    recorder.ondataavailable = ({ data }) => void parts.push(data)
    const stopped = new Promise((resolve) => recorder.addEventListener('stop', resolve))
    paint(canvas, 5, 0)
    recorder.start()
    for (let frame = 1; frame <= 26; frame++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      paint(canvas, 5, frame / 20)
    }
    recorder.stop()
    await stopped
    return new Blob(parts, { type: 'video/webm' })
  }
  const lengthOf = (blob: Blob): Promise<number> => {
    const video = document.createElement('video')
    video.src = URL.createObjectURL(blob)
    return new Promise((resolve) => {
      video.onloadeddata = () => resolve(video.duration)
      video.onerror = () => resolve(0)
    })
  }
  for (;;) {
    const blob = await record()
    if ((await lengthOf(blob)) === 0) continue
    const bytes = new Uint8Array(await blob.arrayBuffer())
    return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ''))
  }
}
