// Letting a command line in: it shows a code; here somebody sees who asks, and says yes or no.

import { ApiError, get, post } from '../api'
import { attempt, button, h, replace, say, when } from '../dom'
import { accessToken } from '../session'
import { show } from '../signing'

interface Waiting {
  user_code: string
  client_name: string
  address: string
  created_at: string
  expires_at: string
}

export async function start(): Promise<void> {
  await show(async (place) => {
    await accessToken() // Who is signed out is asked to sign in first.
    const given = new URLSearchParams(location.search)
    const code = given.get('user_code') ?? given.get('code') ?? ''
    if (code) await look(place, code)
    else asking(place, '')
  })
}

function asking(place: HTMLElement, problem: string): void {
  const input = h('input', { id: 'code', class: 'code', required: true, autocomplete: 'off', autocapitalize: 'characters', spellcheck: 'false', maxlength: 20, placeholder: 'XXXX-XXXX' })
  const form = h('form', { class: 'card' },
    h('p', { class: 'field' }, h('label', { for: 'code' }, 'The code that your device shows'), input),
    problem && h('p', { class: 'note bad', role: 'alert' }, problem),
    h('p', { class: 'actions' }, h('button', { class: 'primary' }, 'Go on')))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void attempt(() => look(place, input.value.trim()))
  })
  replace(place, form)
  input.focus()
}

async function look(place: HTMLElement, code: string): Promise<void> {
  let waiting: Waiting
  try {
    waiting = await get(`/api/cli/authorize?user_code=${encodeURIComponent(code)}`)
  } catch (error) {
    if (error instanceof ApiError && error.status === 400) return asking(place, error.message)
    throw error
  }
  const answer = (deny: boolean) => async () => {
    await post('/api/cli/authorize', { user_code: waiting.user_code, deny })
    replace(place, h('div', { class: 'card', role: 'status' }, h('h2', {}, deny ? 'It was refused' : 'It is in'), h('p', {}, deny ? 'The device was told so.' : 'Go back to the device; you can close this page. Under Access you can take its token back.')))
    say(deny ? 'Refused' : 'Approved')
  }
  replace(place, h('div', { class: 'card' },
    h('p', {}, 'Somebody wants to publish sites and change them in your name. Go on only if that is you, now, on your own device.'),
    h('p', { class: 'code' }, waiting.user_code),
    h('dl', { class: 'facts' },
      h('dt', {}, 'It calls itself'), h('dd', {}, waiting.client_name || 'nothing'),
      h('dt', {}, 'It asks from'), h('dd', {}, h('code', {}, waiting.address)),
      h('dt', {}, 'Since'), h('dd', {}, when(waiting.created_at))),
    h('p', { class: 'actions' }, button('Let it in', answer(false), { class: 'primary' }), button('Refuse', answer(true), { class: 'danger' }))))
}
