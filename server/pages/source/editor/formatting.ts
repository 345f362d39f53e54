// The bar of the block editor: it shows what the selection is, and changes it.

import { lift, setBlockType, toggleMark, wrapIn } from 'prosemirror-commands'
import type { Attrs, MarkType, NodeType } from 'prosemirror-model'
import { liftListItem, wrapInList } from 'prosemirror-schema-list'
import { type Command, type EditorState, NodeSelection, TextSelection } from 'prosemirror-state'
import { addColumnAfter, addRowAfter, deleteColumn, deleteRow, deleteTable, isInTable } from 'prosemirror-tables'
import type { EditorView } from 'prosemirror-view'
import { ask, at, h, replace } from '../dom'
import { toolbar } from './toolbar'

interface Item {
  sign: string
  name: string
  run: Command
  isOn: (state: EditorState) => boolean
  isShown?: (state: EditorState) => boolean
}

export function formatBar(view: EditorView): { update: () => void; destroy: () => void } {
  const place = at('format')
  const items = itemsFor(view)
  const buttons = items.map((item) => {
    const press = () => {
      if (view.editable) item.run(view.state, view.dispatch, view)
      view.focus()
    }
    return h('button', { type: 'button', title: item.name, 'aria-label': item.name, onclick: press }, h('span', { 'aria-hidden': 'true' }, item.sign))
  })
  replace(place, ...buttons)
  toolbar(place)
  const update = () => items.forEach((item, index) => {
    buttons[index]!.setAttribute('aria-pressed', String(item.isOn(view.state)))
    buttons[index]!.hidden = item.isShown ? !item.isShown(view.state) : false
  })
  update()
  return { update, destroy: () => replace(place) }
}

function itemsFor(view: EditorView): Item[] {
  const { nodes, marks } = view.state.schema
  const mark = (sign: string, name: string, type: MarkType): Item => ({ sign, name, run: toggleMark(type), isOn: (state) => hasMark(state, type) })
  const heading = (level: number): Item => ({
    sign: `H${level}`, name: `H${level}, heading`,
    isOn: (state) => isBlock(state, nodes.heading!, { level }),
    run: (state, dispatch) => (isBlock(state, nodes.heading!, { level }) ? setBlockType(nodes.paragraph!) : setBlockType(nodes.heading!, { level }))(state, dispatch),
  })
  const list = (sign: string, name: string, type: NodeType, item: NodeType): Item => ({
    sign, name, isOn: (state) => isInside(state, type),
    run: (state, dispatch) => (isInside(state, type) ? liftListItem(item) : wrapInList(type))(state, dispatch),
  })
  const inTable = (sign: string, name: string, run: Command): Item => ({ sign, name, run, isOn: () => false, isShown: isInTable })
  return [
    mark('B', 'Bold', marks.bold!), mark('I', 'Italic', marks.italic!), mark('S', 'Struck through', marks.strike!), mark('‹›', 'Code', marks.code!),
    { sign: 'Link', name: 'Link', run: link(marks.link!), isOn: (state) => hasMark(state, marks.link!) },
    heading(1), heading(2), heading(3),
    list('•', 'List', nodes.bulletList!, nodes.listItem!), list('1.', '1. Numbered list', nodes.orderedList!, nodes.listItem!), list('☑', 'Tasks', nodes.taskList!, nodes.taskItem!),
    {
      sign: '❝', name: 'Quotation', isOn: (state) => isInside(state, nodes.blockquote!),
      run: (state, dispatch) => (isInside(state, nodes.blockquote!) ? lift : wrapIn(nodes.blockquote!))(state, dispatch),
    },
    {
      sign: '{ }', name: 'Code block', isOn: (state) => isBlock(state, nodes.codeBlock!),
      run: (state, dispatch) => setBlockType(isBlock(state, nodes.codeBlock!) ? nodes.paragraph! : nodes.codeBlock!)(state, dispatch),
    },
    { sign: 'Table', name: 'Table', run: table, isOn: isInTable, isShown: (state) => !isInTable(state) },
    inTable('+ row', 'Add a row', addRowAfter), inTable('+ column', 'Add a column', addColumnAfter),
    inTable('− row', 'Remove the row', deleteRow), inTable('− column', 'Remove the column', deleteColumn), inTable('− table', 'Remove the table', deleteTable),
  ]
}

function hasMark(state: EditorState, type: MarkType): boolean {
  const { from, to, empty, $from } = state.selection
  return empty ? !!type.isInSet(state.storedMarks ?? $from.marks()) : state.doc.rangeHasMark(from, to, type)
}

function isBlock(state: EditorState, type: NodeType, attributes: Attrs = {}): boolean {
  const node = state.selection instanceof NodeSelection ? state.selection.node : state.selection.$from.parent
  return node.type === type && Object.entries(attributes).every(([key, value]) => node.attrs[key] === value)
}

function isInside(state: EditorState, type: NodeType): boolean {
  const { $from } = state.selection
  for (let depth = $from.depth; depth > 0; depth--) if ($from.node(depth).type === type) return true
  return false
}

function link(type: MarkType): Command {
  return (state, dispatch, view) => {
    if (hasMark(state, type)) return toggleMark(type)(state, dispatch)
    void ask('Link', 'Address', 'https://', 'Link').then((href) => {
      if (!href || !view) return
      const { from, to, empty } = view.state.selection
      const tr = view.state.tr
      if (empty) tr.insert(from, view.state.schema.text(href, [type.create({ href })]))
      else tr.addMark(from, to, type.create({ href }))
      view.dispatch(tr)
      view.focus()
    })
    return true
  }
}

const table: Command = (state, dispatch) => {
  const { table, tableRow, tableHeader, tableCell } = state.schema.nodes
  const row = (cell: NodeType) => tableRow!.create(null, [0, 1, 2].map(() => cell.createAndFill()!))
  if (dispatch) {
    const tr = state.tr.replaceSelectionWith(table!.create(null, [row(tableHeader!), row(tableCell!), row(tableCell!)]))
    const start = tr.mapping.map(state.selection.from, -1)
    dispatch(tr.setSelection(TextSelection.near(tr.doc.resolve(start), 1)).scrollIntoView())
  }
  return true
}
