// Where the others are in the text: carets with names and coloured ranges.
//
// As y-codemirror.next does it, with classes instead of style attributes, which our policy refuses.

import { type Extension, type Range, RangeSet } from '@codemirror/state'
import { Decoration, type DecorationSet, EditorView, ViewPlugin, type ViewUpdate, WidgetType } from '@codemirror/view'
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { h } from '../dom'
import { personOf } from './people'

class Caret extends WidgetType {
  constructor(
    readonly name: string,
    readonly colour: number,
  ) {
    super()
  }

  override eq(other: Caret): boolean {
    return other.name === this.name && other.colour === this.colour
  }

  override toDOM(): HTMLElement {
    return h('span', { class: `peer-caret peer-${this.colour}`, 'aria-hidden': 'true' }, h('span', {}, this.name))
  }

  override get estimatedHeight(): number {
    return -1
  }

  override ignoreEvent(): boolean {
    return true
  }
}

export function remoteCursors(text: Y.Text, awareness: Awareness): Extension {
  return ViewPlugin.fromClass(
    class {
      decorations: DecorationSet = RangeSet.empty

      constructor(private readonly view: EditorView) {
        awareness.on('change', this.redraw)
        this.decorations = this.draw()
      }

      destroy(): void {
        awareness.off('change', this.redraw)
      }

      readonly redraw = ({ added, updated, removed }: { added: number[]; updated: number[]; removed: number[] }): void => {
        const others = [...added, ...updated, ...removed].some((client) => client !== text.doc?.clientID)
        // Not in the middle of an update of the view, which may be what changed the presence.
        if (others) queueMicrotask(() => this.view.dispatch({}))
      }

      update(update: ViewUpdate): void {
        if (update.selectionSet || update.docChanged || update.focusChanged) this.tell(update.view)
        this.decorations = this.draw()
      }

      private tell(view: EditorView): void {
        const cursor = awareness.getLocalState()?.cursor as { anchor: unknown; head: unknown } | null | undefined
        if (!view.hasFocus) {
          if (cursor) awareness.setLocalStateField('cursor', null)
          return
        }
        const { anchor, head } = view.state.selection.main
        const now = {
          anchor: Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, Math.min(anchor, text.length))),
          head: Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, Math.min(head, text.length))),
        }
        if (JSON.stringify(now) !== JSON.stringify(cursor)) awareness.setLocalStateField('cursor', now)
      }

      private draw(): DecorationSet {
        const found: Range<Decoration>[] = []
        const length = this.view.state.doc.length
        for (const [client, state] of awareness.getStates()) {
          if (client === text.doc?.clientID) continue
          const cursor = state.cursor as { anchor?: unknown; head?: unknown } | undefined
          const anchor = this.position(cursor?.anchor)
          const head = this.position(cursor?.head)
          if (anchor === undefined || head === undefined || Math.max(anchor, head) > length) continue
          const { name, colour } = personOf(client, state)
          const [from, to] = anchor < head ? [anchor, head] : [head, anchor]
          if (from < to) found.push(Decoration.mark({ class: `peer-range peer-${colour}` }).range(from, to))
          found.push(Decoration.widget({ side: head - anchor > 0 ? -1 : 1, widget: new Caret(name, colour) }).range(head))
        }
        return Decoration.set(found, true)
      }

      private position(said: unknown): number | undefined {
        if (!said || !text.doc) return undefined
        try {
          const relative = Y.createRelativePositionFromJSON(said)
          const found = Y.createAbsolutePositionFromRelativePosition(relative, text.doc)
          return found?.type === text ? found.index : undefined
        } catch {
          return undefined
        }
      }
    },
    { decorations: (plugin) => plugin.decorations },
  )
}
