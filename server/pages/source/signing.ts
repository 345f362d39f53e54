// Signing in where no key is yet: with words, a file, or by another device. Used by every page.

import { ApiError } from './api'
import { at, attempt, button, dialog, h, replace } from './dom'
import { seedOf } from './keys'
import { SignedOut, seemSignedOut, signIn } from './session'

/** Ask for an existing key; goes to `then` once it fits. */
export async function signInDialog(then?: string): Promise<void> {
  const done = await dialog<boolean>('Sign in with a key', (body, close) => {
    const words = h('textarea', { id: 'words', rows: 4, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', required: true })
    const file = h('input', { id: 'key-file', type: 'file', accept: '.txt,text/plain,application/octet-stream' })
    const code = h('input', { id: 'setup-code', autocomplete: 'off' })
    file.addEventListener('change', () => {
      void file.files?.[0]?.text().then((text) => (words.value = text.trim()))
    })
    const form = h('form', {},
      h('label', { for: 'words' }, 'The 24 words of your recovery key'),
      words,
      h('label', { for: 'key-file' }, 'or a file that holds them, or a key of scripts/token'),
      file,
      h('details', {}, h('summary', {}, 'I have a setup code'), h('label', { for: 'setup-code' }, 'Setup code'), code),
      h('p', { class: 'soft' }, 'Is another device of yours signed in? Then ', h('a', { href: '/key#new' }, 'let it approve this one'), '.'),
      h('p', { class: 'actions' }, h('button', { class: 'primary' }, 'Sign in')),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      void attempt(async () => {
        await signIn(await seedOf(words.value), code.value ? { setup_code: code.value } : {})
        close(true)
      })
    })
    body.append(form)
  })
  if (done) {
    if (then) location.assign(then)
    else location.reload()
  }
}

/** Show a page's content; who is signed out is asked to sign in, an error can be tried again. */
export async function show(fill: (place: HTMLElement) => Promise<void>): Promise<void> {
  const place = at('here')
  try {
    await fill(place)
  } catch (error) {
    if (error instanceof SignedOut) replace(place, signedOut())
    else replace(place, failed(error, () => show(fill)))
  } finally {
    place.removeAttribute('aria-busy')
  }
}

export function signedOut(): HTMLElement {
  seemSignedOut()
  return h('div', { class: 'empty' },
    h('p', {}, 'You are not signed in on this device.'),
    h('p', { class: 'actions center' },
      h('a', { class: 'button primary', href: '/' }, 'Make a key'),
      button('Sign in with a key', () => signInDialog()),
      h('a', { class: 'button', href: '/key#new' }, 'Use another device'),
    ),
  )
}

export function failed(error: unknown, again: () => unknown): HTMLElement {
  const waits = error instanceof ApiError && error.code === 'approval_required'
  const text = waits ? 'An administrator has to let this account in first.' : error instanceof Error ? error.message : String(error)
  return h('div', { class: 'empty', role: 'alert' }, h('p', {}, text), button('Try again', again))
}
