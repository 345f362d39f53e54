// The Markdown editor: CodeMirror on a shared text, with undo of one's own edits only.

import { defaultKeymap, indentWithTab } from '@codemirror/commands'
import { markdown, markdownLanguage } from '@codemirror/lang-markdown'
import { syntaxHighlighting } from '@codemirror/language'
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState } from '@codemirror/state'
import { EditorView, drawSelection, highlightSpecialChars, keymap, placeholder } from '@codemirror/view'
import { classHighlighter } from '@lezer/highlight'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import * as Y from 'yjs'
import type { Editor, Open } from '../page/editor'
import { remoteCursors } from './cursors'
import { formatting, markdownKeys } from './marking'

export function make(open: Open, place: HTMLElement): Editor {
  const text = open.doc.getText(open.root)
  const undo = new Y.UndoManager(text)
  const writable = new Compartment()
  const nonce = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content ?? ''
  const view = new EditorView({
    parent: place,
    state: EditorState.create({
      doc: text.toString(),
      extensions: [
        EditorView.cspNonce.of(nonce),
        yCollab(text, null, { undoManager: undo }),
        remoteCursors(text, open.line.awareness),
        markdown({ base: markdownLanguage, addKeymap: true }),
        syntaxHighlighting(classHighlighter),
        highlightSpecialChars(),
        highlightSelectionMatches(),
        drawSelection(),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': 'Text', spellcheck: 'true', autocorrect: 'on', autocapitalize: 'sentences' }),
        placeholder('Write something. Markdown works.'),
        writable.of([]),
        keymap.of([...yUndoManagerKeymap, ...markdownKeys, ...searchKeymap, ...escapableTab, ...defaultKeymap]),
      ],
    }),
  })
  formatting(view)
  return {
    focus: () => view.focus(),
    setWritable: (isWritable) => {
      if (view.state.readOnly === !isWritable) return
      view.dispatch({ effects: writable.reconfigure(isWritable ? [] : [EditorState.readOnly.of(true), EditorView.editable.of(false)]) })
    },
    undo: () => void undo.undo(),
    redo: () => void undo.redo(),
    insertImage: (url, name) => {
      const at = view.state.selection.main
      const said = `![${name.replace(/[\][\\]/g, '')}](${url})\n`
      view.dispatch({ changes: { from: at.from, to: at.to, insert: said }, selection: { anchor: at.from + said.length } })
    },
    words: () => text.toString(),
    destroy: () => view.destroy(),
  }
}

// Tab indents inside a list or code; Escape, then Tab leaves the editor, as keyboards need it.
let isLeaving = false
const escapableTab = [
  { key: 'Escape', run: () => ((isLeaving = true), false) },
  { ...indentWithTab, run: (view: EditorView) => (isLeaving ? ((isLeaving = false), false) : indentWithTab.run!(view)) },
]
