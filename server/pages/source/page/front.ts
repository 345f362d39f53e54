// The front page: a key in one click, or an existing one.

import { ApiError, get } from '../api'
import { at, attempt, button, copyButton, dialog, download, h } from '../dom'
import { ulid } from '../ids'
import { newSeed, ownKey, wordsOf } from '../keys'
import { signIn } from '../session'
import { signInDialog } from '../signing'

export async function start(): Promise<void> {
  at('start-writing').addEventListener('click', () => void attempt(startWriting))
  at('sign-in').addEventListener('click', () => void attempt(() => signInDialog('/w')))
  const key = await ownKey().catch(() => undefined)
  if (key) {
    at('continue').hidden = false
    at('sign-in').hidden = true
  }
}

/** Open a new document; who has no key here gets one first. */
async function startWriting(): Promise<void> {
  const pressed = at<HTMLButtonElement>('start-writing')
  pressed.disabled = true
  try {
    if (!(await ownKey())) {
      const seed = newSeed()
      const waits = await signIn(seed).catch((error: unknown) => {
        if (error instanceof ApiError && error.code === 'approval_required') return error
        throw error
      })
      await showRecoveryKey(seed)
      // That page says what it waits for, and asks again.
      if (waits) return location.assign('/w')
    }
    const me = await get('/api/me')
    location.assign(`/w/${me.default_workspace_id}/${ulid()}?new=markdown`)
  } finally {
    pressed.disabled = false
  }
}

/** Shown once: afterwards nobody can read the key, this browser included. */
export async function showRecoveryKey(seed: Uint8Array): Promise<void> {
  const words = await wordsOf(seed)
  await dialog<void>('Your recovery key', (body, close) => {
    body.append(
      h('p', {}, 'This browser now holds your account. These 24 words are the only other way in. They are shown this once: keep them where nobody else reads them.'),
      h('ol', { class: 'words' }, ...words.split(' ').map((word) => h('li', {}, word))),
      h('p', { class: 'actions' },
        copyButton(words),
        button('Keep as a file', () => download('plait-recovery-key.txt', `# Recovery key of ${location.origin}\n${words}\n`, 'text/plain'), { class: 'quiet' }),
        button('Continue', () => close(), { class: 'primary', id: 'kept' }),
      ),
    )
    queueMicrotask(() => document.getElementById('kept')?.focus())
  }, { stays: true })
}
