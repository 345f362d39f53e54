// The history: a slider over versions with author and time, what changed, and the way back.

import { get, post } from '../api'
import { ask, attempt, button, confirmed, h, replace, say, when } from '../dom'
import { calmName } from '../ids'
import type { Open } from '../page/editor'
import { side } from './tools'

interface Step {
  sequence: number
  first_sequence: number
  created_at: number
  authors: string[]
}

interface Piece {
  op: 'equal' | 'insert' | 'delete'
  text: string
}

const KEPT_AROUND = 240
const PAUSE_MS = 3_000
const STEP_MS_MAX = 30_000

export function showHistory(open: Open): void {
  side('History', (place) => void attempt(() => draw(open, place)))
}

async function draw(open: Open, place: HTMLElement): Promise<void> {
  replace(place, h('p', { class: 'soft' }, 'Reading…'))
  const key = encodeURIComponent(`${open.workspace}:${open.block}`)
  const [edits, names, named] = await Promise.all([allEdits(key), members(open.workspace), get(`/api/block_versions/${key}`)])
  if (!edits.length) return replace(place, h('p', { class: 'soft' }, 'Nothing was saved yet.'))
  const titles = new Map<number, string>(named.versions.map((one: { sequence: number; name: string }) => [one.sequence, one.name]))
  const steps = stepsOf(edits, titles)
  const slider = h('input', { type: 'range', id: 'versions', min: 0, max: steps.length - 1, value: steps.length - 1, step: 1 })
  const facts = h('p', { role: 'status', id: 'version' })
  const shown = h('div', { class: 'difference', id: 'difference', tabindex: '0', role: 'region', 'aria-label': 'What changed' })
  const actions = h('p', { class: 'actions' })
  let wanted = 0
  const look = async () => {
    const index = Number(slider.value)
    const step = steps[index]!
    const before = steps[index - 1]
    const turn = ++wanted
    const who = step.authors.map((one) => names.get(one) ?? 'somebody').join(', ') || 'the server'
    slider.setAttribute('aria-valuetext', `${who}, ${new Date(step.created_at).toLocaleString()}`)
    replace(facts, h('b', {}, titles.get(step.sequence) ?? `Version ${index + 1} of ${steps.length}`), ' by ', who, ', ', when(step.created_at))
    const version = before ? undefined : await post(`/api/block_version/${key}`, { sequence: step.sequence })
    const made = before ? await post(`/api/block_diff/${key}`, { from: { sequence: before.sequence }, to: { sequence: step.sequence } }) : undefined
    if (turn !== wanted) return
    replace(shown, ...(made ? difference(made.title, made.text) : difference([], [{ op: 'insert', text: `${version.title}\n${version.text}`.trim() }])))
    replace(actions,
      index < steps.length - 1 && button('Restore this version', () => restore(open, place, key, step), { class: 'primary' }),
      button('Name it', () => nameVersion(open, place, key, step)),
    )
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  slider.addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(() => void attempt(look), 60)
  })
  replace(place, h('div', { class: 'slider' }, h('label', { for: 'versions' }, 'Version'), slider), facts, open.line.canWrite && actions, shown)
  await look()
}

/** Every edit that is kept, oldest first. */
async function allEdits(key: string): Promise<Step[]> {
  const found: Step[] = []
  let before: number | null = null
  for (let page = 0; page < 20; page++) {
    const said = await post(`/api/block_updates/${key}`, { limit: 1000, before })
    found.push(...said.updates)
    if (!said.has_more) break
    before = said.next
  }
  return found.reverse()
}

/** The steps of the slider: what one person wrote without a pause is one; a named version ends one. */
function stepsOf(edits: Step[], titles: Map<number, string>): Step[] {
  const steps: Step[] = []
  let began = 0
  for (const one of edits) {
    const last = steps.at(-1)
    const goesOn = last && !titles.has(last.sequence) && one.created_at - last.created_at < PAUSE_MS && one.created_at - began < STEP_MS_MAX && last.authors.join() === one.authors.join()
    if (goesOn) steps[steps.length - 1] = { ...one, first_sequence: last.first_sequence }
    else {
      steps.push(one)
      began = one.created_at
    }
  }
  return steps
}

async function members(workspace: string): Promise<Map<string, string>> {
  const { members } = await get(`/api/heap/${workspace}/members`)
  return new Map(members.map((one: { user_id: string; public_key: string; is_you: boolean }) => [one.user_id, one.is_you ? 'you' : calmName(one.public_key)]))
}

function difference(title: Piece[], text: Piece[]): HTMLElement[] {
  const all = title.some((one) => one.op !== 'equal') ? [...title, { op: 'equal', text: '\n\n' } as Piece, ...text] : text
  if (!all.some((one) => one.op !== 'equal')) return [h('p', { class: 'soft' }, 'Nothing to see in the text: formats, files or settings changed.')]
  return all.map((one) => {
    if (one.op === 'insert') return h('ins', {}, one.text)
    if (one.op === 'delete') return h('del', {}, one.text)
    const cut = one.text.length > 2 * KEPT_AROUND ? `${one.text.slice(0, KEPT_AROUND)} … ${one.text.slice(-KEPT_AROUND)}` : one.text
    return h('span', {}, cut)
  })
}

async function restore(open: Open, place: HTMLElement, key: string, step: Step): Promise<void> {
  if (!(await confirmed('Restore this version?', 'The document says again what it said then. Nothing is lost: what it says now stays in the history.', 'Restore'))) return
  await post(`/api/block_restore/${key}`, { sequence: step.sequence })
  say('Restored')
  await draw(open, place)
}

async function nameVersion(open: Open, place: HTMLElement, key: string, step: Step): Promise<void> {
  const name = await ask('Name this version', 'Name', '', 'Name it')
  if (!name) return
  await post(`/api/block_versions/${key}`, { name, sequence: step.sequence })
  await draw(open, place)
}
