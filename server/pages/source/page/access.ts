// Tokens for programs, and the browsers and devices that are signed in.

import { get, post, remove } from '../api'
import { at, attempt, button, confirmed, copyButton, h, replace, say, when } from '../dom'
import { show } from '../signing'

interface Token {
  id: string
  name: string
  prefix: string
  scopes: string[]
  created_at: string
  expires_at: string | null
  last_used_at: string | null
  is_expired: boolean
}

interface Session {
  id: string
  device_name: string
  client?: string
  created_at: string
  last_used_at: string
  is_current: boolean
}

const DAY_S = 86_400

export async function start(): Promise<void> {
  await show(async (place) => {
    const tokens = h('div')
    const sessions = h('div')
    await Promise.all([drawTokens(tokens), drawSessions(sessions)])
    replace(place,
      h('section', { 'aria-labelledby': 'tokens' }, h('h2', { id: 'tokens' }, 'Tokens'),
        h('p', { class: 'soft' }, 'A token lets a program act for you, in the APIs that you choose and nowhere else.'), making(tokens), tokens),
      h('section', { 'aria-labelledby': 'sessions' }, h('h2', { id: 'sessions' }, 'Sessions'), sessions))
  })
}

function making(list: HTMLElement): HTMLElement {
  const { apis = '', alone = '' } = at('apis').dataset
  const name = h('input', { id: 'token-name', maxlength: 100, required: true, autocomplete: 'off', placeholder: 'What is it for?' })
  const days = h('select', { id: 'token-days' }, ...[['30', 'for 30 days'], ['90', 'for 90 days'], ['365', 'for a year'], ['', 'until revoked']].map(([value, label]) => h('option', { value: value! }, label!)))
  const boxes = apis.split(' ').map((api) => {
    const level = h('select', { id: `scope-${api}`, 'data-api': api }, h('option', { value: '' }, '–'), h('option', { value: 'read' }, 'read'), h('option', { value: 'write' }, 'read and write'))
    // Some tokens open one API and nothing besides.
    level.addEventListener('change', () => {
      if (!level.value) return
      for (const { level: other, api: its } of boxes) if (other !== level && (alone.split(' ').includes(api) || alone.split(' ').includes(its))) other.value = ''
    })
    return { api, level }
  })
  const made = h('div', { role: 'status' })
  const form = h('form', { class: 'card' },
    h('div', { class: 'row' }, h('span', { class: 'field' }, h('label', { for: 'token-name' }, 'Name'), name), h('span', { class: 'field' }, h('label', { for: 'token-days' }, 'Good'), days)),
    h('fieldset', {}, h('legend', {}, 'What it opens'), h('div', { class: 'row' }, ...boxes.map(({ api, level }) => h('span', { class: 'field' }, h('label', { for: level.id }, api), level)))),
    h('p', { class: 'actions' }, h('button', { class: 'primary' }, 'Make a token')), made)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void attempt(async () => {
      const scopes = boxes.filter(({ level }) => level.value).map(({ api, level }) => `${api}:${level.value}`)
      if (!scopes.length) throw new Error('Choose what the token opens.')
      const said = await post('/api/access-tokens', { name: name.value, scopes, expires_in: days.value ? Number(days.value) * DAY_S : null })
      replace(made, h('p', {}, 'The token is shown once. Copy it now.'), h('div', { class: 'secret' }, h('code', { id: 'new-token' }, said.token), copyButton(said.token)))
      name.value = ''
      await drawTokens(list)
    })
  })
  return form
}

async function drawTokens(list: HTMLElement): Promise<void> {
  const { access_tokens } = await get('/api/access-tokens')
  if (!access_tokens.length) return replace(list, h('p', { class: 'soft' }, 'There are none yet.'))
  const revoke = (token: Token) => async () => {
    if (!(await confirmed('Revoke this token?', `What uses “${token.name}” stops working within two seconds.`, 'Revoke'))) return
    await remove(`/api/access-tokens/${token.id}`)
    await drawTokens(list)
    say('Revoked')
  }
  replace(list, h('ul', { class: 'list' }, ...access_tokens.map((token: Token) => h('li', {},
    h('span', { class: 'what' }, token.name, h('small', {}, h('code', {}, `${token.prefix}…`), ' made ', when(token.created_at), ', used ', token.last_used_at ? when(token.last_used_at) : 'never', token.expires_at ? ', ends ' : '', token.expires_at && when(token.expires_at))),
    ...token.scopes.map((scope) => h('span', { class: 'tag' }, scope)),
    token.is_expired && h('span', { class: 'tag bad' }, 'ended'),
    button('Revoke', revoke(token), { class: 'quiet small danger', 'aria-label': `Revoke ${token.name}` })))))
}

async function drawSessions(list: HTMLElement): Promise<void> {
  const { sessions } = await get('/api/sessions')
  const end = (session: Session) => async () => {
    await remove(`/api/sessions/${session.id}`)
    await drawSessions(list)
    say('Ended')
  }
  const endOthers = async () => {
    if (!(await confirmed('End all other sessions?', 'Every other browser and program that is signed in has to sign in again.', 'End them'))) return
    await remove('/api/sessions')
    await drawSessions(list)
  }
  replace(list,
    h('ul', { class: 'list' }, ...sessions.map((session: Session) => h('li', {},
      h('span', { class: 'what' }, browserOf(session.client ?? '') || session.device_name || 'A program', h('small', {}, 'since ', when(session.created_at), ', used ', when(session.last_used_at))),
      session.is_current ? h('span', { class: 'tag good' }, 'this one') : button('End', end(session), { class: 'quiet small danger' })))),
    sessions.length > 1 && h('p', { class: 'actions' }, button('End all others', endOthers, { class: 'danger' })))
}

/** How people call a browser, from how it calls itself. */
function browserOf(agent: string): string {
  const browser = [['Edg/', 'Edge'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']].find(([sign]) => agent.includes(sign!))?.[1]
  const system = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Mac OS', 'Mac'], ['Windows', 'Windows'], ['Linux', 'Linux']].find(([sign]) => agent.includes(sign!))?.[1]
  return browser ? `${browser}${system ? ` on ${system}` : ''}` : agent.slice(0, 60)
}
