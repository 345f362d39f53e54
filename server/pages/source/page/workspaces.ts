// Workspaces and what lies in them, kept up to date while others work: the list of a workspace is
// read again when the server says that something in it changed.

import * as Y from 'yjs'
import { ApiError, get, post, remove } from '../api'
import { ask, at, attempt, button, confirmed, h, redraw, replace, say, when } from '../dom'
import { titleOf, setTitle } from '../editor/title'
import { ulid } from '../ids'
import { keepPages } from '../keeping'
import { Line } from '../line'
import { accessToken } from '../session'
import { failed, signedOut } from '../signing'
import { SignedOut } from '../session'
import { keptHere } from './kept'
import { membersDialog } from './members'

interface Heap {
  id: string
  block_id: string
  title: string
  role: string
  updated_at: number
}

interface Row {
  id: string
  title: string
  updated_at: number
  files: number
  deleted_at: number | null
}

type Tab = 'documents' | 'trash'

const PAGE = 100

let heaps: Heap[] = []
let here: Heap | undefined
let tab: Tab = 'documents'
let query = ''
let shown = PAGE
let line: Line | undefined

export async function start(): Promise<void> {
  addEventListener('popstate', () => void open())
  const invitation = new URLSearchParams(location.hash.slice(1)).get('invite')
  if (invitation) await accept(invitation)
  await open()
}

async function open(): Promise<void> {
  const place = at('here')
  try {
    await loadHeaps()
    const wanted = decodeURIComponent(location.pathname.split('/')[2] ?? '')
    here = heaps.find((heap) => heap.id === wanted) ?? (wanted ? undefined : heaps[0])
    drawPlaces()
    if (!here) {
      replace(place, h('div', { class: 'empty' }, h('p', {}, 'There is no such workspace, or it is not shared with you any more.'), h('a', { class: 'button', href: '/w' }, 'Your workspaces')))
      return
    }
    listen(here)
    await draw()
    keepPages()
  } catch (error) {
    if (error instanceof SignedOut) return replace(place, signedOut())
    const isAway = error instanceof ApiError && error.status === 0
    replace(place, failed(error, open), isAway && (await keptHere()))
    if (isAway) addEventListener('online', () => void open(), { once: true })
  } finally {
    place.removeAttribute('aria-busy')
  }
}

async function loadHeaps(): Promise<void> {
  heaps = await post('/api/workspaces', { include_shared: true })
}

const named = (heap: Heap) => heap.title || 'My documents'

function drawPlaces(): void {
  const go = (heap: Heap) => (event: Event) => {
    event.preventDefault()
    history.pushState(null, '', `/w/${heap.id}`)
    ;[tab, query, shown] = ['documents', '', PAGE]
    void open()
  }
  redraw(at('places'),
    h('h2', {}, 'Workspaces'),
    h('ul', { class: 'places' }, ...heaps.map((heap) => h('li', { 'data-id': heap.id },
      h('a', { href: `/w/${heap.id}`, 'aria-current': heap === here ? 'page' : null, onclick: go(heap) }, named(heap), heap.role !== 'owner' && h('span', { class: 'tag' }, heap.role))))),
    button('New workspace', makeWorkspace, { class: 'quiet small' }),
  )
}

async function makeWorkspace(): Promise<void> {
  const title = await ask('New workspace', 'Name', '', 'Create')
  if (!title) return
  const made = await post('/api/heap/add', { title })
  history.pushState(null, '', `/w/${made.workspace_id}`)
  ;[tab, query, shown] = ['documents', '', PAGE]
  await open()
}

async function accept(token: string): Promise<void> {
  history.replaceState(null, '', '/w')
  await attempt(async () => {
    const invitation = await post(`/api/invite/${encodeURIComponent(token)}`)
    history.replaceState(null, '', `/w/${invitation.workspace_id}`)
    say(`You are ${invitation.role === 'viewer' ? 'a' : 'an'} ${invitation.role} here now`)
  })
}

// -- live: a line on the workspace's root block, which is also where its name stands -----------

function listen(heap: Heap): void {
  if (line?.doc.guid === heap.id) return
  line?.destroy()
  const doc = new Y.Doc({ guid: heap.id })
  let timer: ReturnType<typeof setTimeout> | undefined
  const again = () => {
    clearTimeout(timer)
    timer = setTimeout(() => void refresh(), 150)
  }
  line = new Line(`${heap.id}:${heap.block_id}`, doc, accessToken, {
    changed: showLink,
    synced: () => undefined,
    stateless: (said) => {
      if (typeof said.type === 'string' && !/subscribed$/.test(said.type)) again()
    },
  })
  doc.getXmlFragment('title_v0').observeDeep(() => {
    const title = titleOf(doc)
    if (heap.title === title) return
    heap.title = title
    drawPlaces()
    const heading = document.querySelector('.headline h2')
    if (heading) heading.textContent = named(heap)
  })
  line.ask({ type: 'subscribe', workspace_id: heap.id })
  line.connect()
}

function showLink(): void {
  const place = document.getElementById('away')
  if (place) place.textContent = line?.link === 'offline' ? 'Offline: others may have changed what is shown' : ''
}

async function refresh(): Promise<void> {
  try {
    const before = heaps.find((heap) => heap.id === here?.id)
    await loadHeaps()
    const now = heaps.find((heap) => heap.id === before?.id)
    if (!now) return void open()
    here = now
    drawPlaces()
    await draw()
  } catch {
    // The next news, or the person, asks again.
  }
}

// -- the workspace --------------------------------------------------------------------------

async function draw(): Promise<void> {
  const heap = here!
  document.title = `${named(heap)} · ${document.body.dataset.name ?? ''}`
  at('heading').textContent = named(heap)
  const list = tab === 'trash' ? await trash(heap) : query ? await found(heap) : await documents(heap)
  if (heap !== here) return
  const focused = document.activeElement?.id
  const place = at('here')
  if (!place.querySelector('.headline') || place.dataset.heap !== `${heap.id} ${heap.role}`) {
    place.dataset.heap = `${heap.id} ${heap.role}`
    replace(place, headline(heap), h('p', { class: 'soft', id: 'away', role: 'status' }), search(), tabs(), h('div', { id: 'list', role: 'tabpanel', 'aria-labelledby': `tab-${tab}` }))
  }
  place.querySelector('.headline h2')!.textContent = named(heap)
  for (const one of place.querySelectorAll('[role="tab"]')) one.setAttribute('aria-selected', String(one.id === `tab-${tab}`))
  at('list').setAttribute('aria-labelledby', `tab-${tab}`)
  redraw(at('list'), list)
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus()
}

function headline(heap: Heap): HTMLElement {
  const writes = heap.role !== 'viewer'
  return h('div', { class: 'headline' },
    h('h2', {}, named(heap)),
    writes && button('New document', () => make(heap, 'blocks'), { class: 'primary' }),
    writes && button('New Markdown', () => make(heap, 'markdown')),
    button('People', () => membersDialog(heap, refresh)),
    writes && button('Rename', () => rename(heap), { class: 'quiet' }),
    heap.role === 'owner' ? button('Delete', () => deleteHeap(heap), { class: 'quiet danger' }) : button('Leave', () => leave(heap), { class: 'quiet' }),
  )
}

function make(heap: Heap, kind: string): void {
  location.assign(`/w/${heap.id}/${ulid()}?new=${kind}`)
}

async function rename(heap: Heap): Promise<void> {
  const title = await ask('Rename the workspace', 'Name', heap.title)
  if (title && line) {
    if (!line.isSynced) throw new Error('The server cannot be reached; the name was not changed.')
    setTitle(line.doc, title)
  }
}

async function deleteHeap(heap: Heap): Promise<void> {
  if (!(await confirmed('Delete this workspace?', `“${named(heap)}” and all its documents close for everybody. For a while an administrator can bring it back.`, 'Delete'))) return
  await remove(`/api/heap/${heap.id}`)
  history.replaceState(null, '', '/w')
  await open()
}

async function leave(heap: Heap): Promise<void> {
  if (!(await confirmed('Leave this workspace?', 'You need a new invitation to come back.', 'Leave'))) return
  await post(`/api/heap/${heap.id}/leave`)
  history.replaceState(null, '', '/w')
  await open()
}

let typing: ReturnType<typeof setTimeout> | undefined

function search(): HTMLElement {
  const input = h('input', { id: 'search', type: 'search', placeholder: 'Search in this workspace', 'aria-label': 'Search in this workspace', maxlength: 200, value: query })
  input.addEventListener('input', () => {
    query = input.value.trim()
    tab = 'documents'
    clearTimeout(typing)
    typing = setTimeout(() => void attempt(draw), 120)
  })
  return h('div', { class: 'search', role: 'search' }, input)
}

function tabs(): HTMLElement {
  const choose = (next: Tab) => () => {
    ;[tab, shown] = [next, PAGE]
    void attempt(draw)
  }
  const one = (name: Tab, label: string) => h('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': 'list', onclick: choose(name) }, label)
  const bar = h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Lists' }, one('documents', 'Documents'), one('trash', 'Trash'))
  bar.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft') return
    const next = bar.querySelector<HTMLElement>('[aria-selected="false"]')
    next?.focus()
    next?.click()
  })
  return bar
}

async function documents(heap: Heap): Promise<HTMLElement> {
  const { blocks, total } = await post('/api/heap', { heap_id: heap.id, limit: Math.min(shown, 1000) })
  const rows = (blocks as Row[]).filter((row) => row.id !== heap.block_id)
  if (!rows.length) {
    return h('div', { class: 'empty' }, h('p', {}, 'Nothing here yet.'), heap.role !== 'viewer' && button('Write the first document', () => make(heap, 'blocks'), { class: 'primary' }))
  }
  const more = total > shown && shown < 1000 && button(`Show more of ${total}`, () => ((shown += PAGE * 3), draw()))
  return h('div', {}, h('ul', { class: 'list' }, ...rows.map((row) => document_(heap, row))), more)
}

function document_(heap: Heap, row: Row): HTMLElement {
  const title = row.title || 'Untitled'
  const away = button('Delete', () => throwAway(heap, row), { class: 'quiet small danger', 'aria-label': `Delete “${title}”` })
  return h('li', { 'data-id': row.id },
    h('a', { class: 'what', href: `/w/${heap.id}/${encodeURIComponent(row.id)}` }, title),
    row.files > 0 && h('span', { class: 'tag' }, row.files === 1 ? '1 file' : `${row.files} files`),
    h('small', { class: 'soft' }, when(row.updated_at)),
    heap.role !== 'viewer' && away,
  )
}

/** A document says itself that it is in the trash, so that this also works for who is offline. */
async function throwAway(heap: Heap, row: Row): Promise<void> {
  const doc = new Y.Doc()
  const update = new Promise<Uint8Array>((resolve) => doc.once('update', resolve))
  doc.getMap('meta_v0').set('deletedAt', Date.now())
  const pushed = await post('/api/sync/push', {
    blocks: [{ block_id: row.id, workspace_id: heap.id, update: btoa(String.fromCharCode(...(await update))) }],
  })
  if (!pushed.results[0].success) throw new Error('The document could not be moved to the trash.')
  await draw()
  say('Moved to the trash')
}

async function found(heap: Heap): Promise<HTMLElement> {
  const { results, total } = await post('/api/search', { heap_id: heap.id, query, limit: 50 })
  if (!results.length) return h('div', { class: 'empty' }, h('p', {}, 'Nothing has these words.'))
  const rows = results.map((hit: { id: string; title: string; snippet: { text: string; match: boolean }[] }) => h('li', { 'data-id': hit.id },
    h('div', { class: 'what' },
      h('a', { class: 'what', href: `/w/${heap.id}/${encodeURIComponent(hit.id)}` }, hit.title || 'Untitled'),
      h('small', {}, ...hit.snippet.map((piece) => (piece.match ? h('mark', {}, piece.text) : piece.text))))))
  return h('div', {}, h('p', { class: 'soft', role: 'status' }, total === 1 ? '1 document' : `${total} documents`), h('ul', { class: 'list' }, ...rows))
}

async function trash(heap: Heap): Promise<HTMLElement> {
  const { blocks } = await get(`/api/trash/${heap.id}?limit=200`)
  if (!blocks.length) return h('div', { class: 'empty' }, h('p', {}, 'The trash is empty.'))
  const restore = (row: Row) => async () => {
    await post(`/api/trash/${heap.id}/restore`, { block_ids: [row.id] })
    await draw()
    say('Restored')
  }
  const empty = async () => {
    if (!(await confirmed('Empty the trash?', 'What is in it is gone for good, on every device.', 'Empty the trash'))) return
    while ((await remove(`/api/trash/${heap.id}`)).remaining > 0);
    await draw()
  }
  return h('div', {},
    heap.role === 'owner' && h('p', { class: 'actions' }, button('Empty the trash', empty, { class: 'danger' })),
    h('ul', { class: 'list' }, ...(blocks as Row[]).map((row) => h('li', { 'data-id': row.id },
      h('span', { class: 'what' }, row.title || 'Untitled', h('small', {}, 'deleted ', when(row.deleted_at))),
      heap.role !== 'viewer' && button('Restore', restore(row), { class: 'small', 'aria-label': `Restore “${row.title || 'Untitled'}”` })))),
  )
}

