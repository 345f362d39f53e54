// Who is here: everybody's name and colour, from the presence that clients tell one another.

import { at, ask, button, h, replace } from '../dom'
import { numberOf } from '../ids'
import type { Line } from '../line'
import { ownName, setOwnName } from '../session'

export const COLOURS = 8
const SHOWN_MAX = 5

// What other editors show; ours go by the class.
const HEX = ['#b3461f', '#1f6f66', '#4356bd', '#8d3c86', '#7a5b00', '#276b2f', '#a82f57', '#1b6389']

export interface Person {
  name: string
  colour: number
}

export function colourOf(client: number, user: Record<string, unknown> | undefined): number {
  const said = HEX.indexOf(String(user?.color))
  return said >= 0 ? said : numberOf(String(client)) % COLOURS
}

/** What a client's presence says of a person; foreign clients say what they like. */
export function personOf(client: number, state: Record<string, unknown> | undefined): Person {
  const user = (typeof state?.user === 'object' && state.user ? state.user : {}) as Record<string, unknown>
  const name = typeof user.name === 'string' && user.name.trim() ? user.name.trim().slice(0, 60) : 'Guest'
  return { name, colour: colourOf(client, user) }
}

export function greet(line: Line): void {
  const colour = freeColour(line)
  line.awareness.setLocalStateField('user', { name: ownName(), color: HEX[colour], colorLight: `${HEX[colour]}33` })
}

/** One that nobody here has, if there is one; once chosen it stays. */
function freeColour(line: Line): number {
  const own = line.doc.clientID
  const states = [...line.awareness.getStates().entries()]
  const kept = HEX.indexOf(String(line.awareness.getLocalState()?.user?.color))
  const taken = new Set(states.filter(([client]) => client !== own).map(([client, state]) => colourOf(client, state.user)))
  const wanted = kept >= 0 ? kept : own % COLOURS
  const order = Array.from({ length: COLOURS }, (_, step) => (wanted + step) % COLOURS)
  return order.find((one) => !taken.has(one)) ?? wanted
}

let shown = ''

export function showPeople(line: Line): void {
  const own = line.doc.clientID
  const all = [...line.awareness.getStates().entries()]
    .map(([client, state]) => ({ client, isOwn: client === own, ...personOf(client, state) }))
    .sort((a, b) => Number(b.isOwn) - Number(a.isOwn) || a.client - b.client)
  const key = JSON.stringify(all)
  if (key === shown) return
  shown = key
  const rest = all.length - SHOWN_MAX
  const list = all.slice(0, SHOWN_MAX).map((one) => {
    const face = initials(one.name)
    if (!one.isOwn) return h('li', {}, h('span', { class: `face peer-${one.colour}`, title: one.name, role: 'img', 'aria-label': `${face}, ${one.name}` }, face))
    const rename = button(h('span', { 'aria-hidden': 'true' }, face), () => renameSelf(line), {
      class: `face peer-${one.colour}`, title: `${one.name} (you): change your name`, 'aria-label': `${face}, ${one.name} (you): change your name`,
    })
    return h('li', {}, rename)
  })
  const names = all.slice(SHOWN_MAX).map((one) => one.name).join(', ')
  replace(at('people'), ...list, rest > 0 && h('li', { class: 'more' }, h('span', { class: 'face', title: names, role: 'img', 'aria-label': `and ${rest} more: ${names}` }, `+${rest}`)))
}

async function renameSelf(line: Line): Promise<void> {
  const name = await ask('Your name', 'What others see beside your cursor', ownName())
  if (name === undefined) return
  setOwnName(name)
  greet(line)
}

function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean)
  return words.slice(0, 2).map((word) => [...word][0]).join('').toUpperCase()
}
