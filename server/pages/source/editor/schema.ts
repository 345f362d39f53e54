// What the block editor knows: the nodes and marks that the server reads out of `content_v0`.
//
// y-prosemirror removes from the document what its schema does not know. So whatever another editor
// wrote there, nodes, marks and attributes, becomes part of the schema before the editor opens.

import { Schema, type Attrs, type DOMOutputSpec, type MarkSpec, type Node as PMNode, type NodeSpec } from 'prosemirror-model'
import { tableNodes } from 'prosemirror-tables'
import * as Y from 'yjs'

const HOLE = 0 as const

const paragraph: NodeSpec = { group: 'block', content: 'inline*', parseDOM: [{ tag: 'p' }], toDOM: () => ['p', HOLE] }

const heading: NodeSpec = {
  group: 'block', content: 'inline*', defining: true, attrs: { level: { default: 1 } },
  parseDOM: [1, 2, 3, 4, 5, 6].map((level) => ({ tag: `h${level}`, attrs: { level } })),
  toDOM: (node) => [`h${Math.min(6, Math.max(1, Number(node.attrs.level) || 1))}`, HOLE],
}

const blockquote: NodeSpec = {
  group: 'block', content: 'block+', defining: true, parseDOM: [{ tag: 'blockquote' }], toDOM: () => ['blockquote', HOLE],
}

const codeBlock: NodeSpec = {
  group: 'block', content: 'text*', marks: '', code: true, defining: true, attrs: { language: { default: null } },
  parseDOM: [{ tag: 'pre', preserveWhitespace: 'full' }],
  toDOM: () => ['pre', { spellcheck: 'false' }, ['code', HOLE]],
}

const horizontalRule: NodeSpec = { group: 'block', parseDOM: [{ tag: 'hr' }], toDOM: () => ['hr'] }

const bulletList: NodeSpec = { group: 'block list', content: 'item+', parseDOM: [{ tag: 'ul' }], toDOM: () => ['ul', HOLE] }

const orderedList: NodeSpec = {
  group: 'block list', content: 'item+', attrs: { start: { default: 1 } },
  parseDOM: [{ tag: 'ol', getAttrs: (node) => ({ start: Number(node.getAttribute('start')) || 1 }) }],
  toDOM: (node) => ['ol', node.attrs.start === 1 ? {} : { start: node.attrs.start }, HOLE],
}

const listItem: NodeSpec = { group: 'item', content: 'block+', defining: true, parseDOM: [{ tag: 'li' }], toDOM: () => ['li', HOLE] }

const taskList: NodeSpec = {
  group: 'block list', content: 'task+', parseDOM: [{ tag: 'ul.tasks', priority: 60 }], toDOM: () => ['ul', { class: 'tasks' }, HOLE],
}

const taskItem: NodeSpec = {
  group: 'task', content: 'block+', defining: true, attrs: { checked: { default: false } },
  parseDOM: [{ tag: 'li[data-checked]', priority: 60, getAttrs: (node) => ({ checked: node.dataset.checked === 'true' }) }],
  toDOM: (node) => ['li', { 'data-checked': String(isChecked(node)) }, HOLE],
}

export function isChecked(node: PMNode): boolean {
  return node.attrs.checked === true || node.attrs.checked === 'true'
}

const image: NodeSpec = {
  group: 'block', draggable: true, attrs: { src: { default: '' }, alt: { default: null }, title: { default: null } },
  parseDOM: [{ tag: 'img[src]', getAttrs: (node) => ({ src: node.getAttribute('src'), alt: node.getAttribute('alt') }) }],
  toDOM: (node) => ['img', { src: node.attrs.src, alt: node.attrs.alt ?? '' }],
}

const hardBreak: NodeSpec = { group: 'inline', inline: true, selectable: false, parseDOM: [{ tag: 'br' }], toDOM: () => ['br'] }

function chip(...labels: string[]): NodeSpec {
  const attrs = Object.fromEntries(labels.map((label) => [label, { default: null }]))
  const shown = (node: PMNode) => String(labels.map((label) => node.attrs[label]).find(Boolean) ?? node.type.name)
  return { group: 'inline', inline: true, atom: true, attrs, toDOM: (node) => ['span', { class: 'chip' }, shown(node)], leafText: shown }
}

const KNOWN: Record<string, NodeSpec> = {
  paragraph, heading, blockquote, codeBlock, horizontalRule, bulletList, orderedList, listItem, taskList, taskItem, image, hardBreak,
  ...tables(),
  reference: chip('label', 'id', 'type'),
  mention: chip('label', 'id', 'type'),
  pagelink: chip('label', 'blockKey'),
}

function tables(): Record<string, NodeSpec> {
  const made = tableNodes({ tableGroup: 'block', cellContent: 'block+', cellAttributes: {} })
  return {
    table: { ...made.table, content: 'row+' },
    tableRow: { ...made.table_row!, content: 'cell*', group: 'row' },
    tableHeader: { ...made.table_header!, group: 'cell' },
    tableCell: { ...made.table_cell!, group: 'cell' },
  }
}

const MARKS: Record<string, MarkSpec> = {
  link: {
    inclusive: false, attrs: { href: { default: '' } },
    parseDOM: [{ tag: 'a[href]', getAttrs: (node) => ({ href: node.getAttribute('href') }) }],
    toDOM: (mark) => ['a', { href: safe(mark.attrs.href), rel: 'noopener noreferrer', title: mark.attrs.href }, HOLE],
  },
  bold: { parseDOM: [{ tag: 'strong' }, { tag: 'b' }], toDOM: () => ['strong', HOLE] },
  italic: { parseDOM: [{ tag: 'em' }, { tag: 'i' }], toDOM: () => ['em', HOLE] },
  strike: { parseDOM: [{ tag: 's' }, { tag: 'del' }], toDOM: () => ['s', HOLE] },
  code: { excludes: '_', parseDOM: [{ tag: 'code' }], toDOM: () => ['code', { spellcheck: 'false' }, HOLE] },
}

const SAME: Record<string, string> = {
  strong: 'bold', em: 'italic', emphasis: 'italic', strikethrough: 'strike', s: 'strike', divider: 'horizontalRule',
  checklist: 'taskList', todolist: 'taskList', checklistitem: 'taskItem', code: 'codeBlock',
}

/** Links of documents lead to pages and addresses, never to a script. */
export function safe(href: unknown): string {
  const text = String(href ?? '').trim()
  return /^(https?:|mailto:|tel:|#|\/(?!\/))/i.test(text) ? text : '#'
}

interface Found {
  attributes: Set<string>
  isInline: boolean
  holdsText: boolean
}

/** The names that stand in a fragment, with their attributes. */
export interface Census {
  nodes: Map<string, Found>
  marks: Map<string, Set<string>>
}

export function census(fragment: Y.XmlFragment): Census {
  const nodes: Census['nodes'] = new Map()
  const marks: Census['marks'] = new Map()
  const rest: [Y.XmlFragment | Y.XmlElement, boolean][] = [[fragment, false]]
  for (let next = rest.pop(); next; next = rest.pop()) {
    const children = next[0].toArray()
    const isLine = children.some((child) => child instanceof Y.XmlText)
    for (const child of children) {
      if (child instanceof Y.XmlText) countMarks(child, marks)
      if (!(child instanceof Y.XmlElement)) continue
      const found = nodes.get(child.nodeName) ?? { attributes: new Set(), isInline: isLine, holdsText: false }
      for (const name of Object.keys(child.getAttributes())) found.attributes.add(name)
      found.holdsText ||= child.toArray().some((one) => one instanceof Y.XmlText)
      nodes.set(child.nodeName, found)
      rest.push([child, isLine])
    }
  }
  return { nodes, marks }
}

function countMarks(text: Y.XmlText, marks: Census['marks']): void {
  for (const piece of text.toDelta() as { attributes?: Record<string, unknown> }[]) {
    for (const [raw, value] of Object.entries(piece.attributes ?? {})) {
      const name = raw.replace(/--[A-Za-z0-9+/=]{8}$/, '')
      const known = marks.get(name) ?? new Set<string>()
      if (value && typeof value === 'object') for (const key of Object.keys(value)) known.add(key)
      marks.set(name, known)
    }
  }
}

/** Whether a schema has a place for everything that a census found. */
export function fits(schema: Schema, found: Census): boolean {
  for (const [name, { attributes }] of found.nodes) {
    const known = schema.nodes[name]?.spec.attrs
    if (!schema.nodes[name] || [...attributes].some((key) => !known || !(key in known))) return false
  }
  for (const [name, attributes] of found.marks) {
    const known = schema.marks[name]?.spec.attrs
    if (!schema.marks[name] || [...attributes].some((key) => !known || !(key in known))) return false
  }
  return true
}

/** The kind of a name: `bullet_list`, `bullet-list` and `bulletList` are the same. */
function knownAs(name: string, known: Record<string, unknown>): string | undefined {
  const flat = name.replace(/[-_]/g, '').toLowerCase()
  return Object.keys(known).find((one) => one.toLowerCase() === flat) ?? (SAME[flat] && SAME[flat] in known ? SAME[flat] : undefined)
}

export function schemaFor(found: Census): Schema {
  const nodes: Record<string, NodeSpec> = { doc: { content: 'block+' }, ...KNOWN, text: { group: 'inline' } }
  const marks: Record<string, MarkSpec> = { ...MARKS }
  for (const [name, one] of found.nodes) {
    if (name === 'doc' || name === 'text') continue
    const kind = knownAs(name, KNOWN)
    const spec = nodes[name] ?? (kind ? (({ parseDOM: _, ...same }) => same)(KNOWN[kind]!) : foreign(name, one))
    nodes[name] = one.isInline && kind === 'image' ? { ...withAttributes(spec, one.attributes), inline: true, group: 'inline' } : withAttributes(spec, one.attributes)
  }
  for (const [name, attributes] of found.marks) {
    const kind = knownAs(name, MARKS)
    const spec: MarkSpec = marks[name] ?? (kind ? (({ parseDOM: _, ...same }) => same)(MARKS[kind]!) : { excludes: '', toDOM: () => ['span', HOLE] as DOMOutputSpec })
    marks[name] = withAttributes(spec, attributes)
  }
  return new Schema({ nodes, marks })
}

function withAttributes<T extends { attrs?: Attrs }>(spec: T, attributes: Set<string>): T {
  const missing = [...attributes].filter((name) => !spec.attrs || !(name in spec.attrs))
  if (!missing.length) return spec
  return { ...spec, attrs: { ...spec.attrs, ...Object.fromEntries(missing.map((name) => [name, { default: null }])) } }
}

function foreign(name: string, found: Found): NodeSpec {
  if (found.isInline) return { ...chip('label', 'title', 'text', 'id') }
  if (found.holdsText) return { group: 'block', content: 'inline*', toDOM: () => ['div', { 'data-node': name }, HOLE] }
  return { group: 'block', content: 'block*', toDOM: () => ['div', { 'data-node': name }, HOLE] }
}
