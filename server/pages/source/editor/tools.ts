// What else one can do with a document: history, sharing, preview, export, pictures, the trash.

import { fetched } from '../api'
import { at, attempt, button, confirmed, download, h, replace, say } from '../dom'
import type { Open } from '../page/editor'
import { isGuest } from '../session'
import { showFiles } from './files'
import { titleOf } from './title'
import { upload } from './uploads'

export function tools(open: Open): void {
  const file = h('input', { type: 'file', accept: 'image/*', multiple: true, class: 'offscreen', tabindex: '-1', 'aria-hidden': 'true' })
  file.addEventListener('change', () => void upload(open, [...(file.files ?? [])]).then(() => (file.value = '')))
  const preview = button('Preview', () => togglePreview(open, preview), { class: 'quiet', 'aria-pressed': 'false', id: 'show-preview' })
  replace(at('tools'),
    preview,
    !isGuest() && button('Share', async () => (await import('./sharing')).share(open), { class: 'quiet', id: 'share' }),
    menu('More', [
      button('Undo', () => open.editor?.undo()),
      button('Redo', () => open.editor?.redo()),
      button('Insert a picture', () => file.click()),
      !isGuest() && button('History', async () => (await import('./history')).showHistory(open), { id: 'show-history' }),
      button('Export as Markdown', () => save(open, 'md')),
      button('Export as HTML', () => save(open, 'html')),
      button('Export as PDF', () => save(open, 'pdf')),
      !isGuest() && button('Move to the trash', () => trash(open), { class: 'danger' }),
    ]),
    file,
  )
  let timer: ReturnType<typeof setTimeout> | undefined
  open.doc.on('update', () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      count(open)
      if (!at('preview').hidden) void attempt(() => drawPreview(open))
    }, 250)
  })
  document.addEventListener('selectionchange', () => count(open))
}

function menu(label: string, items: (HTMLElement | false)[]): HTMLElement {
  const list = h('div', { role: 'group', 'aria-label': label, hidden: true }, ...items)
  const opener = h('button', { type: 'button', class: 'quiet', 'aria-expanded': 'false', id: 'more' }, label)
  const box = h('div', { class: 'menu' }, opener, list)
  const set = (isOpen: boolean) => {
    list.hidden = !isOpen
    opener.setAttribute('aria-expanded', String(isOpen))
  }
  opener.addEventListener('click', () => set(list.hidden))
  list.addEventListener('click', () => set(false))
  document.addEventListener('click', (event) => {
    if (event.target instanceof Node && !box.contains(event.target)) set(false)
  })
  box.addEventListener('keydown', (event) => {
    const all = [...list.querySelectorAll<HTMLButtonElement>('button')]
    const here = all.indexOf(document.activeElement as HTMLButtonElement)
    if (event.key === 'Escape') {
      set(false)
      opener.focus()
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      set(true)
      all[(here + (event.key === 'ArrowDown' ? 1 : -1) + all.length) % all.length]?.focus()
    }
  })
  return box
}

function count(open: Open): void {
  if (!open.editor) return
  const chosen = String(document.getSelection() ?? '')
  const text = chosen.trim() && at('editor').contains(document.getSelection()?.anchorNode ?? null) ? chosen : ''
  const words = counted(text || open.editor.words())
  const said = `${words === 1 ? '1 word' : `${words} words`}${text ? ' chosen' : ''}`
  if (at('counts').textContent !== said) at('counts').textContent = said
}

const segments = 'Segmenter' in Intl ? new Intl.Segmenter(undefined, { granularity: 'word' }) : undefined

/** Words as people count them, also where a language writes no blanks. */
function counted(text: string): number {
  if (!segments || text.length > 200_000) return text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length
  let words = 0
  for (const one of segments.segment(text)) if (one.isWordLike) words += 1
  return words
}

async function exported(open: Open, form: string, part = ''): Promise<Response> {
  return fetched('GET', `/api/export/${encodeURIComponent(`${open.workspace}:${open.block}`)}/${form}${part}`, { headers: { Accept: '*/*' } })
}

async function save(open: Open, form: string): Promise<void> {
  if (open.line.unsaved) say('The export has what is saved; some edits are not yet.')
  const answer = await exported(open, form)
  const type = answer.headers.get('Content-Type') ?? ''
  const name = (titleOf(open.doc) || 'Untitled').replace(/[\\/:*?"<>|\s]+/g, ' ').trim().slice(0, 100)
  download(`${name}.${form}`, await answer.blob(), type)
}

async function togglePreview(open: Open, pressed: HTMLElement): Promise<void> {
  const place = at('preview')
  const isOn = place.hidden
  if (isOn) await drawPreview(open)
  place.hidden = !isOn
  at('editor').hidden = isOn
  at('format').hidden = isOn
  pressed.setAttribute('aria-pressed', String(isOn))
  pressed.textContent = isOn ? 'Write' : 'Preview'
  if (!isOn) open.editor?.focus()
}

/** What the server makes of the text: the same that an export and a PDF show. */
async function drawPreview(open: Open): Promise<void> {
  const text = await (await exported(open, 'html', '?fragment=1')).text()
  const made = new DOMParser().parseFromString(text, 'text/html')
  for (const image of made.querySelectorAll('img')) {
    image.dataset.src = image.getAttribute('src') ?? ''
    image.removeAttribute('src')
  }
  const place = at('preview')
  place.className = 'prose'
  replace(place, ...made.body.childNodes)
  showFiles(open, place)
}

async function trash(open: Open): Promise<void> {
  if (!(await confirmed('Move to the trash?', 'It can be restored from the trash of its workspace.', 'Move to the trash'))) return
  open.doc.getMap('meta_v0').set('deletedAt', Date.now())
  location.assign(`/w/${encodeURIComponent(open.workspace)}`)
}

/** The panel beside the document. */
export function side(title: string, fill: (place: HTMLElement) => void): void {
  const place = at('side')
  const close = () => {
    place.hidden = true
    at('more').focus()
  }
  const body = h('div')
  replace(place, h('div', { class: 'side-head' }, h('h2', {}, title), h('button', { type: 'button', class: 'quiet icon', 'aria-label': 'Close', onclick: close }, '✕')), body)
  place.onkeydown = (event) => {
    if (event.key === 'Escape') close()
  }
  place.hidden = false
  place.querySelector<HTMLElement>('button')?.focus()
  fill(body)
}
