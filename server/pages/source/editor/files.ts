// Showing files of the server in a page: an <img> cannot send a header, so its address carries a
// token that opens files of this one document and ends after minutes.

import { post } from '../api'
import type { Open } from '../page/editor'

let known: Promise<{ token: string; until: number }> | undefined

async function fileToken(block: string): Promise<string> {
  const now = await known?.catch(() => undefined)
  if (now && now.until - Date.now() > 60_000) return now.token
  known = post(`/api/file/${encodeURIComponent(block)}/token`).then((said) => ({
    token: said.token as string,
    until: Date.now() + Number(said.expires_in ?? 600) * 1000,
  }))
  return (await known).token
}

const OURS = /^\/api\/(file|stream)\/([^/?]+)\/[^?]*$/

/** Put a file's address into an image; of pictures elsewhere the policy lets none in. */
export function showFile(open: Open, image: HTMLImageElement, src: string): void {
  const match = OURS.exec(src)
  if (!match) {
    if (/^(data|blob):/.test(src)) image.src = src
    return
  }
  let tries = 0
  const load = () => void fileToken(open.block).then((token) => (image.src = `${src}?token=${encodeURIComponent(token)}`)).catch(() => undefined)
  image.addEventListener('error', () => {
    // A peer's picture may still be on its way to the store when its place is already here.
    if (tries++ < 4) setTimeout(load, 700 * 2 ** tries)
  })
  load()
}

export function showFiles(open: Open, place: HTMLElement): void {
  for (const image of place.querySelectorAll('img')) showFile(open, image, image.getAttribute('data-src') ?? image.getAttribute('src') ?? '')
}
