// The block editor: ProseMirror on `content_v0`, in the form that the server reads.

import { baseKeymap, chainCommands, exitCode, toggleMark } from 'prosemirror-commands'
import { dropCursor } from 'prosemirror-dropcursor'
import { gapCursor } from 'prosemirror-gapcursor'
import { keymap } from 'prosemirror-keymap'
import type { Node as PMNode } from 'prosemirror-model'
import { liftListItem, sinkListItem, splitListItem } from 'prosemirror-schema-list'
import { EditorState, NodeSelection, Plugin, Selection, type Command } from 'prosemirror-state'
import { goToNextCell, tableEditing } from 'prosemirror-tables'
import { EditorView } from 'prosemirror-view'
import { initProseMirrorDoc, redo, undo, yCursorPlugin, ySyncPlugin, yUndoPlugin } from 'y-prosemirror'
import type * as Y from 'yjs'
import { h } from '../dom'
import { BLOCKS, type Editor, type Open } from '../page/editor'
import { showFile } from './files'
import { formatBar } from './formatting'
import { personOf } from './people'
import { rules } from './rules'
import { census, fits, isChecked, schemaFor } from './schema'

export function make(open: Open, place: HTMLElement): Editor {
  const fragment = open.doc.getXmlFragment(BLOCKS)
  let isWritable = true
  let isWatched = false
  const build = () => viewOf(open, fragment, place, () => isWritable)
  let view = build()
  // Runs before y-prosemirror's own observer, since it was there first: what comes with a name that
  // the schema does not know must not meet it.
  const watch = (_events: unknown, { local }: Y.Transaction) => {
    if (local || fits(view.state.schema, census(fragment))) return
    const hadFocus = view.hasFocus()
    view.destroy()
    view = build()
    if (hadFocus) view.focus()
  }
  return {
    focus: () => view.focus(),
    setWritable: (given) => {
      if (given === isWritable) return
      isWritable = given
      view.setProps({ editable: () => isWritable })
    },
    undo: () => void undo(view.state),
    redo: () => void redo(view.state),
    insertImage: (src, alt) => {
      const { image, paragraph } = view.state.schema.nodes
      const { selection, tr } = view.state
      const node = image!.create({ src, alt })
      // A picture that is selected stays; the next one comes after it, and the caret after that.
      if (selection instanceof NodeSelection) tr.insert(selection.to, node)
      else tr.replaceSelectionWith(node)
      let after = tr.doc.content.size
      tr.doc.descendants((one, at) => {
        if (one.type === image && one.attrs.src === src) after = at + one.nodeSize
      })
      if (!tr.doc.nodeAt(after)?.isTextblock) tr.insert(after, paragraph!.create())
      view.dispatch(tr.setSelection(Selection.near(tr.doc.resolve(after), 1)).scrollIntoView())
    },
    words: () => view.state.doc.textBetween(0, view.state.doc.content.size, '\n', ' '),
    destroy: () => view.destroy(),
  }

  function viewOf(open: Open, fragment: Y.XmlFragment, place: HTMLElement, editable: () => boolean): EditorView {
    if (isWatched) fragment.unobserveDeep(watched)
    fragment.observeDeep(watched)
    isWatched = true
    const schema = schemaFor(census(fragment))
    const { doc, mapping } = initProseMirrorDoc(fragment, schema)
    const made: EditorView = new EditorView(place, {
      state: EditorState.create({
        schema,
        doc,
        plugins: [
          ySyncPlugin(fragment, { mapping }),
          yCursorPlugin(open.line.awareness, { cursorBuilder: caret, selectionBuilder: range }),
          yUndoPlugin(),
          rules(schema),
          keymap(keys(schema)),
          keymap(baseKeymap),
          dropCursor({ color: false, class: 'drop-cursor' }),
          gapCursor(),
          tableEditing(),
          emptyPage(),
          new Plugin({ view: (view) => formatBar(view) }),
        ],
      }),
      editable,
      attributes: { 'aria-label': 'Text', role: 'textbox', 'aria-multiline': 'true', spellcheck: 'true' },
      nodeViews: {
        image: (node) => picture(open, node),
        taskItem: (node, view, position) => task(node, view, position),
      },
      handleClickOn: (_view, _position, _node, _nodePosition, event) => follow(event),
    })
    return made
  }

  function watched(events: unknown, transaction: Y.Transaction): void {
    watch(events, transaction)
  }
}

function keys(schema: EditorState['schema']): Record<string, Command> {
  const { listItem, taskItem, hardBreak } = schema.nodes
  const newLine: Command = chainCommands(exitCode, (state, dispatch) => {
    dispatch?.(state.tr.replaceSelectionWith(hardBreak!.create()).scrollIntoView())
    return true
  })
  const inTable = (direction: 1 | -1) => goToNextCell(direction)
  return {
    'Mod-z': undo as Command, 'Mod-y': redo as Command, 'Shift-Mod-z': redo as Command,
    'Mod-b': toggleMark(schema.marks.bold!), 'Mod-i': toggleMark(schema.marks.italic!), 'Mod-e': toggleMark(schema.marks.code!),
    'Mod-Shift-x': toggleMark(schema.marks.strike!),
    Enter: chainCommands(splitListItem(taskItem!, { checked: false }), splitListItem(listItem!)),
    // Where there is nothing to indent, Tab leaves the editor.
    Tab: chainCommands(inTable(1), sinkListItem(taskItem!), sinkListItem(listItem!)),
    'Shift-Tab': chainCommands(inTable(-1), liftListItem(taskItem!), liftListItem(listItem!)),
    'Shift-Enter': newLine, 'Mod-Enter': newLine,
  }
}

// -- others in the text: classes, since the policy takes no style attributes -----------------

function caret(user: Record<string, unknown>, client: number): HTMLElement {
  const person = personOf(client, { user })
  return h('span', { class: `peer-caret peer-${person.colour}`, 'aria-hidden': 'true' }, h('span', {}, person.name))
}

function range(user: Record<string, unknown>, client: number): { class: string } {
  return { class: `peer-range peer-${personOf(client, { user }).colour}` }
}

function emptyPage(): Plugin {
  return new Plugin({
    props: {
      // A new document has no block at all; one that was emptied has a paragraph.
      attributes: ({ doc }): Record<string, string> => {
        const isEmpty = !doc.childCount || (doc.childCount === 1 && doc.firstChild?.type.name === 'paragraph' && !doc.firstChild.content.size)
        return isEmpty ? { class: 'is-empty-page' } : {}
      },
    },
  })
}

function picture(open: Open, node: PMNode) {
  const dom = h('img', { alt: node.attrs.alt ?? '', loading: 'lazy' })
  showFile(open, dom, String(node.attrs.src ?? ''))
  return { dom }
}

function task(node: PMNode, view: EditorView, position: () => number | undefined) {
  const box = h('input', { type: 'checkbox', 'aria-label': 'Done' })
  const contentDOM = h('div')
  const dom = h('li', {}, h('label', { contenteditable: 'false' }, box), contentDOM)
  const draw = (now: PMNode) => {
    box.checked = isChecked(now)
    dom.dataset.checked = String(box.checked)
  }
  draw(node)
  box.addEventListener('change', () => {
    const at = position()
    if (at === undefined || !view.editable) return draw(node)
    view.dispatch(view.state.tr.setNodeAttribute(at, 'checked', box.checked))
  })
  return {
    dom, contentDOM,
    update: (now: PMNode) => {
      if (now.type !== node.type) return false
      node = now
      draw(now)
      return true
    },
    stopEvent: (event: Event) => event.target === box,
    ignoreMutation: (mutation: { target: Node }) => !contentDOM.contains(mutation.target),
  }
}

/** Ctrl or Command and a click follows a link. */
function follow(event: MouseEvent): boolean {
  const link = event.target instanceof Element ? event.target.closest('a') : null
  if (!link || !(event.ctrlKey || event.metaKey)) return false
  window.open(link.href, '_blank', 'noopener')
  return true
}
