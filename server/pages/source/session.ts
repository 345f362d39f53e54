// Who is here. The browser holds a session cookie that no script reads; pages ask for access tokens
// of minutes with it and keep those in memory. When the cookie is gone the key logs in anew.

import { ApiError, errorOf } from './api'
import { calmName } from './ids'
import { keep, keyOf, ownKey, sign, type OwnKey } from './keys'

export class SignedOut extends Error {
  constructor() {
    super('You are not signed in here.')
  }
}

interface Access {
  token: string
  until: number
}

let access: Promise<Access> | undefined
let guest: string | undefined

/** From now on a link to one document speaks, and no account. */
export function beGuest(token: string): void {
  guest = token
}

export function isGuest(): boolean {
  return guest !== undefined
}

/** A token that is good for a minute at least. Raises SignedOut. */
export async function accessToken(): Promise<string> {
  if (guest !== undefined) return guest
  const known = await access?.catch(() => undefined)
  if (known && known.until - Date.now() > 60_000) return known.token
  access = renew()
  return (await access).token
}

async function renew(): Promise<Access> {
  const asked = await ask('/api/session/token', {})
  if (asked.ok) return accessIn(await asked.json())
  if (asked.status !== 401) throw await errorOf(asked)
  const key = await ownKey()
  if (!key) throw new SignedOut()
  return open(key)
}

function accessIn(said: { access_token: string }): Access {
  const claims = JSON.parse(atob(said.access_token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/')))
  return { token: said.access_token, until: Date.now() + (claims.exp - claims.iat) * 1000 }
}

async function ask(path: string, body: unknown): Promise<Response> {
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json' }
  try {
    return await fetch(path, { method: 'POST', headers, body: JSON.stringify(body), cache: 'no-store' })
  } catch {
    throw new ApiError(0, 'offline', 'The server cannot be reached.')
  }
}

/** A challenge of the server, signed by a key. */
export async function signed(key: OwnKey): Promise<{ public_key: string; message: string; signature: string }> {
  const asked = await ask('/api/auth/create_session', { public_key: key.public })
  if (!asked.ok) throw await errorOf(asked)
  const { challenge } = await asked.json()
  return { public_key: key.public, message: challenge, signature: await sign(key, challenge) }
}

async function open(key: OwnKey, more: Record<string, unknown> = {}): Promise<Access> {
  const answer = await ask('/api/session', { ...(await signed(key)), ...more })
  if (!answer.ok) throw await errorOf(answer)
  const asked = await ask('/api/session/token', {})
  if (!asked.ok) throw await errorOf(asked)
  return accessIn(await asked.json())
}

/** Log in with a seed and keep its key here. Raises ApiError; nothing is kept then. */
export async function signIn(seed: Uint8Array, more: Record<string, unknown> = {}): Promise<void> {
  await signInWith(await keyOf(seed), more)
}

export async function signInWith(key: OwnKey, more: Record<string, unknown> = {}): Promise<void> {
  let opened: Access
  try {
    opened = await open(key, more)
  } catch (error) {
    // Who waits for approval has an account by now, and this key is the way into it.
    if (error instanceof ApiError && error.code === 'approval_required') await keep(key)
    throw error
  }
  await keep(key)
  access = Promise.resolve(opened)
  localStorage.setItem('plait-signed-in', '1')
}

/** Whether somebody seems to be signed in, without asking: decides which buttons to show. */
export function seemsSignedIn(): boolean {
  return localStorage.getItem('plait-signed-in') === '1'
}

export function seemSignedOut(): void {
  localStorage.removeItem('plait-signed-in')
  access = undefined
}

// -- how others see me ---------------------------------------------------------------------

export function ownName(): string {
  const kept = localStorage.getItem('plait-name')
  if (kept) return kept
  let chosen = localStorage.getItem('plait-calm-name')
  if (!chosen) localStorage.setItem('plait-calm-name', (chosen = Math.random().toString(36).slice(2)))
  return calmName(chosen)
}

export function setOwnName(name: string): void {
  const given = name.trim().slice(0, 60)
  if (given) localStorage.setItem('plait-name', given)
  else localStorage.removeItem('plait-name')
}
