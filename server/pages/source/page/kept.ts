// What can be opened while the server is away: the documents that this browser has copies of.

import { h } from '../dom'
import { copies } from '../keeping'

/** A list of them; nothing where there are none, or where a browser does not say. */
export async function keptHere(): Promise<HTMLElement | null> {
  const all = (await copies().catch(() => [])).filter((one) => one.title !== undefined || one.unsent)
  if (!all.length) return null
  all.sort((one, other) => (one.title ?? '').localeCompare(other.title ?? ''))
  return h('section', { 'aria-labelledby': 'kept' },
    h('h2', { id: 'kept' }, 'Kept on this device'),
    h('ul', { class: 'list' }, ...all.map((one) => h('li', {},
      h('a', { class: 'what', href: one.address }, one.title || 'Untitled'),
      one.unsent > 0 && h('span', { class: 'tag warn' }, one.unsent === 1 ? '1 edit to send' : `${one.unsent} edits to send`)))))
}
