// The one line that says whether what was written is safe.

import { at } from '../dom'
import type { Line } from '../line'

export function showSaved(line: Line): void {
  const [text, kind] = wording(line)
  const place = at('saved')
  if (place.textContent !== text) place.textContent = text
  place.className = `saved ${kind}`
  place.dataset.state = kind
  place.dataset.unsaved = String(line.unsaved)
}

function wording(line: Line): [string, string] {
  const edits = line.unsaved
  if (line.link === 'denied') return ['Closed', 'bad']
  if (line.refused) return [`${count(line.refused)} refused`, 'bad']
  const kept = edits === line.keptHere ? `${count(edits)} kept here` : 'keeping your edits…'
  if (line.link === 'offline') return [edits ? `Offline, ${kept}` : 'Offline', 'offline']
  if (line.link === 'connecting' || !line.isSynced) return [edits ? `Connecting, ${kept}` : 'Connecting…', 'waiting']
  if (!line.canWrite) return ['Read only', 'good']
  return edits ? ['Saving…', 'waiting'] : ['Saved', 'good']
}

function count(edits: number): string {
  return edits === 1 ? '1 edit' : `${edits} edits`
}
