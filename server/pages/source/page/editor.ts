// One document: opens it, from this device's copy and from the server, and puts the editor on it.

import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import { at, button, h, replace, say } from '../dom'
import { TITLE, UNSENT, copyName, keepPages } from '../keeping'
import { Line } from '../line'
import { accessToken, beGuest, isGuest } from '../session'
import { signInDialog, signedOut } from '../signing'
import { bindTitle, titleOf } from '../editor/title'
import { greet, showPeople } from '../editor/people'
import { showSaved } from '../editor/saved'
import { tools } from '../editor/tools'
import { takeFiles } from '../editor/uploads'

export type Kind = 'markdown' | 'blocks'

/** An editor on a page, whatever it is made with. */
export interface Editor {
  focus(): void
  setWritable(isWritable: boolean): void
  undo(): void
  redo(): void
  insertImage(url: string, name: string): void
  words(): string
  destroy(): void
}

/** What the parts of the page share. */
export interface Open {
  workspace: string
  block: string
  doc: Y.Doc
  line: Line
  kind: Kind
  /** The shared text that is edited as Markdown. */
  root: string
  editor: Editor | undefined
}

export const MARKDOWN = 'markdown_v0'
export const BLOCKS = 'content_v0'

export async function start(): Promise<void> {
  const [workspace, block] = location.pathname.split('/').slice(2, 4).map(decodeURIComponent) as [string, string]
  const given = new URLSearchParams(location.hash.slice(1)).get('link')
  if (given) beGuest(given)
  at<HTMLAnchorElement>('back').href = `/w/${encodeURIComponent(workspace)}`

  const doc = new Y.Doc()
  const copy = new IndexeddbPersistence(copyName(workspace, block), doc)
  const asked = new URLSearchParams(location.search).get('new')
  const open = { workspace, block, doc, kind: 'markdown', editor: undefined } as unknown as Open
  const refresh = () => show(open)
  const line = new Line(`${workspace}:${block}`, doc, accessToken, {
    changed: () => {
      refresh()
      keepCount(copy, line, refresh)
    },
    synced: () => {
      greet(line)
      void ready(open, copy, asked)
    },
  }, [copy])
  open.line = line
  greet(line)
  tools(open)
  line.connect()

  const edits = await restored(copy)
  hasLooked = true
  if (edits) line.remember(edits)
  refresh()
  // What is here already can be read and written at once; the server's part comes when it comes.
  if (asked || !isBare(doc)) await ready(open, copy, asked)
  addEventListener('beforeunload', (event) => {
    if (line.unsaved && !('indexedDB' in window)) event.preventDefault()
  })
}

/** How many edits an earlier tab could not send. */
async function restored(copy: IndexeddbPersistence): Promise<number> {
  await Promise.race([copy.whenSynced, new Promise((done) => setTimeout(done, 3000))])
  const kept: unknown = await copy.get(UNSENT).catch(() => 0)
  return typeof kept === 'number' ? kept : 0
}

let written = 0
let writes = 0
/** Write down how many edits are unsaved; that is done after the edits themselves, on the disk. */
function keepCount(copy: IndexeddbPersistence, line: Line | undefined, refresh: () => void): void {
  if (!line || !copy.db || line.unsaved === written) return
  const edits = (written = line.unsaved)
  // Only the latest write says that all is here: one of before may end late, and its count be the same.
  const write = ++writes
  line.keptHere = -1
  // The store of the updates belongs to it, so it waits for every update that was put there before.
  const both = copy.db.transaction(['updates', 'custom'], 'readwrite')
  both.objectStore('custom').put(edits, UNSENT)
  both.oncomplete = () => {
    if (write !== writes) return
    line.keptHere = edits
    refresh()
  }
}

function isBare(doc: Y.Doc): boolean {
  return doc.store.clients.size === 0
}

/** Which editor a document wants: what it says of itself, else what it holds. */
function kindOf(doc: Y.Doc, asked: string | null): Kind {
  if (plainText(doc)) return 'markdown'
  const said = doc.getMap('meta_v0').get('editor')
  if (said === 'markdown' || said === 'blocks') return said
  if (doc.getXmlFragment(BLOCKS).length) return 'blocks'
  return asked === 'blocks' || asked === 'markdown' ? asked : isBare(doc) ? 'markdown' : 'blocks'
}

/**
 * The root that holds characters, whoever wrote it: another editor's text is edited where it is.
 * Asked before any root gets its type here, since a root that was once taken for XML stays that.
 */
function plainText(doc: Y.Doc): string | undefined {
  const holds = (name: string) => {
    for (let item = doc.share.get(name)?._start ?? null; item; item = item.right) {
      if (!item.deleted && item.content instanceof Y.ContentString) return true
    }
    return false
  }
  return [MARKDOWN, BLOCKS, ...doc.share.keys()].find((name) => name !== 'title_v0' && holds(name))
}

let started: Promise<void> | undefined

function ready(open: Open, copy: IndexeddbPersistence, asked: string | null): Promise<void> {
  started ??= begin(open, copy, asked)
  return started
}

async function begin(open: Open, copy: IndexeddbPersistence, asked: string | null): Promise<void> {
  const { doc, line } = open
  open.root = plainText(doc) ?? MARKDOWN
  open.kind = kindOf(doc, asked)
  if (asked) {
    doc.transact(() => {
      if (!doc.getMap('meta_v0').has('editor')) doc.getMap('meta_v0').set('editor', open.kind)
    })
    history.replaceState(null, '', location.pathname + location.hash)
  }
  const module = open.kind === 'blocks' ? await import('../editor/blocks') : await import('../editor/markdown')
  const place = at('editor')
  open.editor = module.make(open, place)
  place.removeAttribute('aria-busy')
  bindTitle(doc)
  const keepTitle = () => void copy.set(TITLE, titleOf(doc)).catch(() => undefined)
  doc.getXmlFragment('title_v0').observeDeep(keepTitle)
  keepTitle()
  takeFiles(open)
  show(open)
  if (asked) open.editor.focus()
  performance.mark('plait-ready')
  document.body.dataset.ready = open.kind
  keepCount(copy, line, () => show(open))
  keepPages()
}

// -- what the page says of the line ---------------------------------------------------------

function show(open: Open): void {
  const { line } = open
  if (!line) return
  showSaved(line)
  showPeople(line)
  const canWrite = line.canWrite && line.link !== 'denied'
  open.editor?.setWritable(canWrite)
  at<HTMLInputElement>('title').disabled = !open.editor || !canWrite
  document.body.classList.toggle('reading', !canWrite)
  if (line.link === 'denied') denied(open)
  else missing(hasLooked && !open.editor && line.link === 'offline' && isBare(open.doc))
}

let hasLooked = false

/** Offline, and no copy here: say so, instead of showing nothing. */
function missing(isMissing: boolean): void {
  const place = at('notice')
  if (place.hidden !== isMissing) return
  place.hidden = !isMissing
  replace(place, isMissing && note('This document is not on this device. It opens when the server can be reached again.'))
}

let wasDenied = false

function denied(open: Open): void {
  if (wasDenied) return
  wasDenied = true
  const place = at('notice')
  place.hidden = false
  const { reason } = open.line
  if (reason === 'signed-out') {
    replace(place, isGuest() ? note('This link does not hold any more.') : signedOut())
  } else if (reason === 'deleted') {
    replace(place, note('This document was deleted.'))
  } else if (reason === 'lineage') {
    replace(place, note('This document was made anew on the server. Copy what you need, then open it again.'))
  } else {
    const sign = isGuest() ? null : button('Sign in with another key', () => signInDialog())
    replace(place, note('You have no access to this document, or none any more.'), h('p', { class: 'actions' }, h('a', { class: 'button', href: '/w' }, 'Your documents'), sign))
  }
  if (open.line.unsaved) {
    place.append(note(`${open.line.unsaved} edits made here were not sent. They stay on this device; copy what you need.`))
  }
  if (!open.editor) replace(at('editor'))
  at('editor').removeAttribute('aria-busy')
  say('This document is closed to you.', 'bad')
}

function note(text: string): HTMLElement {
  return h('p', { class: 'note bad', role: 'alert' }, text)
}
