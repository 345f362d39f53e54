// Who is in a workspace, and the links by which others come.

import { get, patch, post, remove } from '../api'
import { attempt, button, confirmed, copyButton, dialog, h, replace, when } from '../dom'
import { calmName } from '../ids'

interface Place {
  id: string
  role: string
}

interface Member {
  user_id: string
  role: string
  public_key: string
  since: string
  is_you: boolean
}

interface Invite {
  id: string
  role: string
  name: string
  expires_at: string | null
  uses: number
  is_open: boolean
}

export async function membersDialog(heap: Place, changed: () => Promise<void>): Promise<void> {
  await dialog<void>('People', (body) => {
    const list = h('div', { 'aria-busy': 'true' })
    const draw = () => attempt(async () => {
      const { members } = await get(`/api/heap/${heap.id}/members`)
      const invites = heap.role === 'owner' ? (await get(`/api/heap/${heap.id}/invites`)).invites : []
      replace(list, h('ul', { class: 'list' }, ...members.map((one: Member) => member(heap, one, draw))), heap.role === 'owner' && inviting(heap, invites, draw))
      list.removeAttribute('aria-busy')
      await changed()
    })
    body.append(list)
    void draw()
  }, { wide: true })
}

function member(heap: Place, one: Member, draw: () => unknown): HTMLElement {
  const name = one.is_you ? 'You' : calmName(one.public_key)
  const out = async () => {
    if (!(await confirmed(`Take ${name} out?`, 'What they have open here closes within two seconds.', 'Take out'))) return
    await remove(`/api/heap/${heap.id}/members/${one.user_id}`)
    await draw()
  }
  const role = h('select', { 'aria-label': `Role of ${name}` }, ...['owner', 'editor', 'viewer'].map((value) => h('option', { value, selected: value === one.role }, value)))
  role.addEventListener('change', () => void attempt(async () => {
    await patch(`/api/heap/${heap.id}/members/${one.user_id}`, { role: role.value })
  }).then(draw))
  const isMine = heap.role === 'owner' && !one.is_you
  return h('li', {},
    h('span', { class: 'what' }, name, h('small', {}, `key ${one.public_key.slice(0, 8)}… since `, when(one.since))),
    isMine ? role : h('span', { class: 'tag' }, one.role),
    isMine && button('Take out', out, { class: 'quiet small danger', 'aria-label': `Take ${name} out` }),
  )
}

function inviting(heap: Place, invites: Invite[], draw: () => unknown): HTMLElement {
  const role = h('select', { id: 'invite-role' }, h('option', { value: 'editor' }, 'may write'), h('option', { value: 'viewer' }, 'may read'))
  const days = h('select', { id: 'invite-days' }, ...[['1', 'a day'], ['7', 'a week'], ['30', 'a month'], ['', 'until revoked']].map(([value, label]) => h('option', { value: value!, selected: value === '7' }, label!)))
  const made = h('div', { role: 'status' })
  const make = async () => {
    const said = await post(`/api/heap/${heap.id}/invites`, { role: role.value, expires_in: days.value ? Number(days.value) * 86_400 : null })
    const url = `${location.origin}/w#invite=${encodeURIComponent(said.token)}`
    replace(made, h('p', {}, 'This link is shown once. Who opens it with a key becomes a member.'), h('div', { class: 'secret' }, h('code', {}, url), copyButton(url)))
  }
  const open = invites.filter((one) => one.is_open)
  return h('div', {},
    h('h3', {}, 'Invite by a link'),
    h('div', { class: 'row' }, h('label', { for: 'invite-role' }, 'Who comes by it '), role, h('label', { for: 'invite-days' }, 'good for '), days, button('Make a link', make, { class: 'primary' })),
    made,
    open.length > 0 && h('ul', { class: 'list' }, ...open.map((one) => h('li', {},
      h('span', { class: 'what' }, one.name || `A link for ${one.role}s`, h('small', {}, one.uses === 1 ? 'used once, ends ' : `used ${one.uses} times, ends `, one.expires_at ? when(one.expires_at) : 'when revoked')),
      button('Revoke', async () => (await remove(`/api/heap/${heap.id}/invites/${one.id}`), draw()), { class: 'quiet small danger' })))),
  )
}
