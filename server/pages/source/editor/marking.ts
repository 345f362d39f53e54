// Buttons and keys that write Markdown's signs.

import type { Command, EditorView, KeyBinding } from '@codemirror/view'
import { at, h, replace } from '../dom'
import { toolbar } from './toolbar'

function wrap(sign: string): Command {
  return (view) => {
    if (view.state.readOnly) return false
    const { from, to } = view.state.selection.main
    const around = view.state.sliceDoc(Math.max(0, from - sign.length), from) === sign && view.state.sliceDoc(to, to + sign.length) === sign
    if (around) {
      view.dispatch({
        changes: [{ from: from - sign.length, to: from }, { from: to, to: to + sign.length }],
        userEvent: 'input',
      })
    } else {
      view.dispatch({
        changes: [{ from, insert: sign }, { from: to, insert: sign }],
        selection: { anchor: from + sign.length, head: to + sign.length },
        userEvent: 'input',
      })
    }
    return true
  }
}

function line(sign: string): Command {
  return (view) => {
    if (view.state.readOnly) return false
    const { from, to } = view.state.selection.main
    const changes = []
    for (let number = view.state.doc.lineAt(from).number; number <= view.state.doc.lineAt(to).number; number++) {
      const one = view.state.doc.line(number)
      const old = /^(#{1,6}|>|[-*+](?: \[[ x]\])?|\d+\.) /.exec(one.text)?.[0] ?? ''
      changes.push({ from: one.from, to: one.from + old.length, insert: old === sign ? '' : sign })
    }
    view.dispatch({ changes, userEvent: 'input' })
    return true
  }
}

const link: Command = (view) => {
  if (view.state.readOnly) return false
  const { from, to } = view.state.selection.main
  const text = view.state.sliceDoc(from, to) || 'text'
  view.dispatch({
    changes: { from, to, insert: `[${text}](https://)` },
    selection: { anchor: from + text.length + 3, head: from + text.length + 11 },
    userEvent: 'input',
  })
  return true
}

export const markdownKeys: KeyBinding[] = [
  { key: 'Mod-b', run: wrap('**') },
  { key: 'Mod-i', run: wrap('*') },
  { key: 'Mod-e', run: wrap('`') },
  { key: 'Mod-k', run: link },
]

export function formatting(view: EditorView): void {
  const all: [string, string, Command][] = [
    ['B', 'Bold', wrap('**')], ['I', 'Italic', wrap('*')], ['S', 'Struck through', wrap('~~')], ['‹›', 'Code', wrap('`')],
    ['H1', 'H1, heading', line('# ')], ['H2', 'H2, smaller heading', line('## ')], ['•', 'List', line('- ')], ['1.', '1. Numbered list', line('1. ')],
    ['☑', 'Tasks', line('- [ ] ')], ['❝', 'Quotation', line('> ')], ['Link', 'Link', link],
  ]
  const place = at('format')
  replace(place, ...all.map(([sign, name, run]) =>
    h('button', { type: 'button', title: name, 'aria-label': name, onclick: () => (run(view), view.focus()) }, h('span', { 'aria-hidden': 'true' }, sign))))
  toolbar(place)
}
