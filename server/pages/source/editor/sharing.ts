// Links to one document, for people without an account, and the way to the workspace's members.

import { get, post, remove } from '../api'
import { attempt, button, copyButton, dialog, h, replace, when } from '../dom'
import type { Open } from '../page/editor'

interface Link {
  id: string
  role: string
  name: string
  created_at: string
  expires_at: string | null
  is_expired: boolean
}

export async function share(open: Open): Promise<void> {
  const key = encodeURIComponent(`${open.workspace}:${open.block}`)
  await dialog<void>('Share this document', (body) => {
    const role = h('select', { id: 'link-role' }, h('option', { value: 'editor' }, 'may write'), h('option', { value: 'viewer' }, 'may read'))
    const days = h('select', { id: 'link-days' }, ...[['', 'until revoked'], ['1', 'for a day'], ['7', 'for a week'], ['30', 'for a month']].map(([value, label]) => h('option', { value: value! }, label!)))
    const made = h('div', { role: 'status', id: 'made-link' })
    const list = h('div')
    const draw = async () => {
      const { links } = await get(`/api/block/${key}/links`)
      replace(list, links.length > 0 && h('ul', { class: 'list' }, ...links.map((one: Link) => h('li', {},
        h('span', { class: 'what' }, one.role === 'viewer' ? 'May read' : 'May write', h('small', {}, 'made ', when(one.created_at), one.expires_at && ', ends ', one.expires_at && when(one.expires_at))),
        one.is_expired && h('span', { class: 'tag' }, 'ended'),
        button('Revoke', async () => (await remove(`/api/block/${key}/links/${one.id}`), draw()), { class: 'quiet small danger' })))))
    }
    const make = async () => {
      const said = await post(`/api/block/${key}/links`, { role: role.value, expires_in: days.value ? Number(days.value) * 86_400 : null })
      const url = `${location.origin}${location.pathname}#link=${encodeURIComponent(said.token)}`
      replace(made, h('p', {}, 'Whoever has this link may come in, without an account. It is shown once.'), h('div', { class: 'secret' }, h('code', {}, url), copyButton(url)))
      await draw()
    }
    body.append(
      h('p', { class: 'soft' }, 'A link opens this document and nothing else. To share the whole workspace, invite people from ', h('a', { href: `/w/${open.workspace}` }, 'its page'), '.'),
      h('div', { class: 'row' }, h('label', { for: 'link-role' }, 'Who has the link'), role, h('label', { for: 'link-days', class: 'offscreen' }, 'How long'), days, button('Make a link', make, { class: 'primary' })),
      made, list,
    )
    void attempt(draw)
  })
}
