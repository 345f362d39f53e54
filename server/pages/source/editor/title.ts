// The title: the words of `title_v0`, edited letter by letter, so that two may write in it at once.

import * as Y from 'yjs'
import { at } from '../dom'

/** The words of a title, with one space between its paragraphs. */
export function titleOf(doc: Y.Doc): string {
  const words: string[] = []
  const walk = (node: Y.XmlFragment | Y.XmlElement) => {
    for (const child of node.toArray()) {
      if (child instanceof Y.XmlText) words.push(plain(child))
      else if (child instanceof Y.XmlElement) walk(child)
    }
  }
  walk(doc.getXmlFragment('title_v0'))
  return words.join(' ')
}

function plain(text: Y.XmlText): string {
  return text.toDelta().map((piece: { insert: unknown }) => (typeof piece.insert === 'string' ? piece.insert : '')).join('')
}

export function setTitle(doc: Y.Doc, title: string): void {
  const root = doc.getXmlFragment('title_v0')
  doc.transact(() => {
    const text = onlyText(root) ?? fresh(root)
    const old = plain(text)
    let start = 0
    while (start < old.length && start < title.length && old[start] === title[start]) start++
    let end = 0
    while (end < old.length - start && end < title.length - start && old[old.length - 1 - end] === title[title.length - 1 - end]) end++
    if (old.length - start - end) text.delete(start, old.length - start - end)
    if (title.length - start - end) text.insert(start, title.slice(start, title.length - end))
  }, 'title')
}

function onlyText(root: Y.XmlFragment): Y.XmlText | undefined {
  if (root.length !== 1) return undefined
  const first = root.get(0)
  if (first instanceof Y.XmlText) return first
  if (first instanceof Y.XmlElement && first.length === 1 && first.get(0) instanceof Y.XmlText) {
    return first.get(0) as Y.XmlText
  }
  return undefined
}

function fresh(root: Y.XmlFragment): Y.XmlText {
  if (root.length) root.delete(0, root.length)
  const paragraph = new Y.XmlElement('paragraph')
  const text = new Y.XmlText()
  paragraph.insert(0, [text])
  root.insert(0, [paragraph])
  return text
}

/** Keep the title field and the document in step, the caret where it was. */
export function bindTitle(doc: Y.Doc): void {
  const input = at<HTMLInputElement>('title')
  const read = () => {
    const title = titleOf(doc)
    document.title = `${title || 'Untitled'} · ${document.body.dataset.name ?? ''}`
    at('heading').textContent = title || 'Untitled'
    if (input.value === title) return
    const [from, to, length] = [input.selectionStart ?? 0, input.selectionEnd ?? 0, input.value.length]
    const after = input.value.slice(from)
    input.value = title
    if (document.activeElement !== input) return
    // What somebody else changed before the caret moves it.
    const shift = title.endsWith(after) ? title.length - length : 0
    input.setSelectionRange(from + shift, to + shift)
  }
  doc.getXmlFragment('title_v0').observeDeep(read)
  input.addEventListener('input', () => setTitle(doc, input.value))
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' || event.key === 'ArrowDown') {
      event.preventDefault()
      document.querySelector<HTMLElement>('#editor [contenteditable="true"]')?.focus()
    }
  })
  read()
}
