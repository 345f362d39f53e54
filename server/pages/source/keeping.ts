// What this browser keeps so that documents open while the server is away: a worker with the shells and
// scripts of the pages, and beside it, in IndexedDB, a copy of each document that was opened here.

import { isGuest } from './session'

const WORKER = '/assets/worker.js'
const SCOPE = '/w'
const CACHES = 'plait-pages '
const COPIES = 'plait/'
/** Where the copy of a document says how many of its edits the server has not got yet, and its title. */
export const UNSENT = 'kept'
export const TITLE = 'title'

export interface Copy {
  address: string
  /** Undefined of one that was asked for and never came. */
  title: string | undefined
  unsent: number
}

/** From now on documents open here without the server. Browsers offer that on https and on this machine. */
export function keepPages(): void {
  if (isGuest() || !('serviceWorker' in navigator)) return
  // Without it a closed tab still loses nothing; it only waits for the server to open again.
  void navigator.serviceWorker.register(WORKER, { scope: SCOPE }).catch(() => undefined)
}

export function copyName(workspace: string, block: string): string {
  return `${COPIES}${workspace}/${block}`
}

/** The documents that are here, whatever the server says. */
export async function copies(): Promise<Copy[]> {
  return Promise.all((await names()).map(copyOf))
}

/** Edits made here, in any document, that the server has not got. */
export async function unsent(): Promise<number> {
  return (await copies()).reduce((sum, one) => sum + one.unsent, 0)
}

/** Leave nothing here: neither pages nor documents. */
export async function forgetAll(): Promise<void> {
  for (const one of (await navigator.serviceWorker?.getRegistrations()) ?? []) await one.unregister()
  if ('caches' in window) for (const name of await caches.keys()) if (name.startsWith(CACHES)) await caches.delete(name)
  // One that another tab has open goes when that tab closes.
  for (const name of await names()) await done(indexedDB.deleteDatabase(name)).catch(() => undefined)
}

async function names(): Promise<string[]> {
  const all = (await indexedDB.databases?.()) ?? []
  return all.map((one) => one.name ?? '').filter((name) => name.startsWith(COPIES))
}

async function copyOf(name: string): Promise<Copy> {
  const [workspace, block] = name.slice(COPIES.length).split('/').map(encodeURIComponent)
  const copy: Copy = { address: `/w/${workspace}/${block}`, title: undefined, unsent: 0 }
  const database = await done(indexedDB.open(name))
  try {
    if (!database.objectStoreNames.contains('custom')) return copy
    const store = database.transaction('custom').objectStore('custom')
    const [title, edits] = await Promise.all([done(store.get(TITLE)), done(store.get(UNSENT))])
    return { ...copy, title: typeof title === 'string' ? title : undefined, unsent: Number(edits ?? 0) }
  } finally {
    database.close()
  }
}

function done<T>(asked: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result)
    asked.onerror = () => reject(asked.error ?? new Error('The storage of this browser failed.'))
    if (asked instanceof IDBOpenDBRequest) asked.onblocked = () => reject(new Error('It is open elsewhere.'))
  })
}
