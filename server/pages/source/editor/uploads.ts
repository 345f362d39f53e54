// Pictures and files by drop and paste: uploaded to the document's block, with progress.

import { accessToken } from '../session'
import { at, h, replace, say } from '../dom'
import type { Open } from '../page/editor'

export function takeFiles(open: Open): void {
  const place = document.body
  place.addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault()
  })
  place.addEventListener('drop', (event) => {
    if (event.dataTransfer?.files.length) {
      event.preventDefault()
      event.stopPropagation()
      void upload(open, [...event.dataTransfer.files])
    }
  }, true)
  place.addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])]
    if (!files.length || !(event.target instanceof Element) || !event.target.closest('#editor')) return
    event.preventDefault()
    event.stopPropagation()
    void upload(open, files)
  }, true)
}

export async function upload(open: Open, files: File[]): Promise<void> {
  if (!open.line.canWrite) return say('You may only read this document.', 'bad')
  for (const file of files) {
    const bar = h('progress', { max: 1, value: 0, 'aria-label': `Uploading ${file.name}` })
    const row = h('span', {}, `${file.name || 'Picture'} `, bar)
    at('uploads').append(row)
    try {
      const hash = await hashOf(file)
      await send(open, file, hash, (part) => (bar.value = part))
      open.editor?.insertImage(addressOf(open, hash), file.name || 'picture')
    } catch (error) {
      say(`${file.name}: ${error instanceof Error ? error.message : String(error)}`, 'bad')
    } finally {
      row.remove()
      if (!at('uploads').children.length) replace(at('uploads'))
    }
  }
}

/** Where a file of the document is read; the page adds a token when it shows it. */
function addressOf(open: Open, hash: string): string {
  return `/api/file/${open.block}/raw/${hash}`
}

async function hashOf(file: File): Promise<string> {
  const bytes = await file.arrayBuffer()
  let digest: Uint8Array
  if (crypto.subtle) digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  else digest = (await import('@noble/hashes/sha2')).sha256(new Uint8Array(bytes))
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function send(open: Open, file: File, hash: string, progress: (part: number) => void): Promise<void> {
  const token = await accessToken()
  const form = new FormData()
  form.append('hash', hash)
  form.append('file', file, file.name || 'picture')
  await new Promise<void>((resolve, reject) => {
    const asked = new XMLHttpRequest()
    asked.open('POST', `/api/upload/file/${open.workspace}/${open.block}`)
    asked.setRequestHeader('Authorization', `Bearer ${token}`)
    asked.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : 0)
    asked.onload = () => {
      if (asked.status < 300) return resolve()
      let said: { message?: string } = {}
      try {
        said = JSON.parse(asked.responseText)
      } catch {
        // Not an answer of ours.
      }
      reject(new Error(said.message ?? `the server answered ${asked.status}`))
    }
    asked.onerror = () => reject(new Error('the server cannot be reached'))
    asked.send(form)
  })
}
