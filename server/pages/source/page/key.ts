// The key of this browser, the other devices of the account, and the way in for a new one.
//
// A new device makes a key of its own and signs a challenge with it; the code that it shows says
// just that. Whoever is signed in lets it in by opening the code; no private key ever travels.

import { ApiError, get, patch, post, remove } from '../api'
import { ask, attempt, button, confirmed, copyButton, dialog, h, replace, say, when } from '../dom'
import { forgetAll, unsent } from '../keeping'
import { forgetKey, keep, keyOf, newSeed, ownKey, type OwnKey } from '../keys'
import { seemSignedOut, signed, signInWith } from '../session'
import { show, signInDialog } from '../signing'

interface Device {
  id: string
  name: string
  public_key: string
  created_at: string
  is_current: boolean
}

const ASK_MS = 4_000
const FRESH_MS = 200_000

export async function start(): Promise<void> {
  const key = await ownKey().catch(() => undefined)
  const approval = new URLSearchParams(location.hash.slice(1)).get('approve')
  if (location.hash === '#new' && !key) return show(newDevice)
  if (!key) return show(nothing)
  if (approval) {
    history.replaceState(null, '', '/key')
    await attempt(() => approve(approval))
  }
  addEventListener('hashchange', () => {
    const later = new URLSearchParams(location.hash.slice(1)).get('approve')
    if (later) void attempt(() => approve(later)).then(() => show((place) => own(place, key)))
  })
  await show((place) => own(place, key))
}

/** The part of a key that two people can compare. */
function fingerprint(key: string): string {
  return key.slice(0, 12).replace(/(.{4})(?=.)/g, '$1 ')
}

async function nothing(place: HTMLElement): Promise<void> {
  replace(place,
    h('div', { class: 'card' },
      h('h2', {}, 'There is no key on this device'),
      h('p', {}, 'Make a new account, use the key that you have, or have another device of yours let this one in.'),
      h('p', { class: 'actions' },
        h('a', { class: 'button primary', href: '/' }, 'Start with a new key'),
        button('Use my words or file', () => signInDialog('/key')),
        button('Use another device', () => {
          history.replaceState(null, '', '#new')
          return show(newDevice)
        }))))
}

// -- a device that is signed in ---------------------------------------------------------------

async function own(place: HTMLElement, key: OwnKey): Promise<void> {
  const [{ devices }, me] = await Promise.all([get('/api/devices'), get('/api/me')])
  const kind = key.private instanceof Uint8Array
    ? 'This page was opened over plain http, where browsers offer no key store: the key is kept by the page. Open it over https and use another device’s approval for a stronger one.'
    : 'The browser keeps the private part where no script can read it, this page included.'
  replace(place,
    h('section', { class: 'card' },
      h('h2', {}, 'This device'),
      h('p', {}, h('code', {}, key.public), ' ', copyButton(key.public)),
      h('p', { class: 'soft' }, kind),
      h('p', { class: 'soft' }, 'Account ', h('code', {}, me.user_id), me.is_admin && ' · administrator'),
      h('p', { class: 'actions' }, button('Sign out on this device', () => signOut(), { class: 'danger' }))),
    h('section', {},
      h('h2', {}, 'Your devices'),
      h('ul', { class: 'list' }, ...devices.map((one: Device) => device(one, place, key)))),
    h('section', { class: 'card' },
      h('h2', {}, 'Let another device in'),
      h('p', {}, 'On the other device open ', h('code', {}, `${location.origin}/key#new`), '. It shows a code: scan it with this device’s camera, or paste the link that stands under it.'),
      h('p', { class: 'actions' }, 'BarcodeDetector' in window && button('Scan the code', () => scan(place, key), { class: 'primary' }), button('Paste the link', () => paste(place, key)))),
  )
}

function device(one: Device, place: HTMLElement, key: OwnKey): HTMLElement {
  const name = one.name || (one.public_key === key.public ? 'This device' : 'A device')
  const out = async () => {
    if (!(await confirmed('Shut this device out?', `“${name}” logs in no more, and what it has open closes within two seconds.`, 'Shut out'))) return
    await remove(`/api/devices/${one.id}`)
    await show((again) => own(again, key))
  }
  const rename = async () => {
    const given = await ask('Name of the device', 'Name', one.name)
    if (given) await patch(`/api/devices/${one.id}`, { name: given })
    await own(place, key)
  }
  return h('li', {},
    h('span', { class: 'what' }, name, h('small', {}, h('code', {}, fingerprint(one.public_key)), ' since ', when(one.created_at))),
    one.is_current && h('span', { class: 'tag good' }, 'you are here'),
    button('Rename', rename, { class: 'quiet small', 'aria-label': `Rename ${name}` }),
    !one.is_current && button('Shut out', out, { class: 'quiet small danger', 'aria-label': `Shut ${name} out` }))
}

async function signOut(): Promise<void> {
  const edits = await unsent()
  const lost = edits ? ` ${edits === 1 ? '1 edit was' : `${edits} edits were`} not sent to the server yet and will be lost: open those documents first.` : ''
  const text = `The key, and the copies of documents that were opened here, are removed from this browser. Without the 24 words or another device you cannot come back to this account.${lost}`
  if (!(await confirmed('Sign out and remove the key?', text, 'Sign out'))) return
  await remove('/api/session').catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 401)) throw error
  })
  await forgetKey()
  await forgetAll()
  seemSignedOut()
  location.assign('/')
}

async function approve(text: string): Promise<void> {
  const payload = read(text)
  const name = await dialog<string>('Let this device in?', (body, close) => {
    const input = h('input', { id: 'device-name', value: payload.name, maxlength: 60 })
    const form = h('form', {},
      h('p', {}, 'It will be able to do everything that you can. Go on only if you see the same letters on it now:'),
      h('p', { class: 'code', id: 'fingerprint' }, fingerprint(payload.public_key)),
      h('label', { for: 'device-name' }, 'Name of the device'), input,
      h('p', { class: 'actions' }, h('button', { type: 'button', onclick: () => close() }, 'No'), h('button', { class: 'primary' }, 'Let it in')))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      close(input.value || 'Device')
    })
    body.append(form)
  })
  if (name === undefined) return
  await post('/api/devices', { public_key: payload.public_key, message: payload.message, signature: payload.signature, name })
  say('The device is in')
}

interface Payload {
  public_key: string
  message: string
  signature: string
  name: string
}

function read(text: string): Payload {
  try {
    const given = text.includes('#') ? (new URLSearchParams(text.slice(text.indexOf('#') + 1)).get('approve') ?? '') : text
    const [public_key, signature, message, name] = given.split('~')
    if (!public_key || !signature || !message) throw new Error()
    return { public_key, signature, message, name: name ?? '' }
  } catch {
    throw new Error('This is no code of a new device.')
  }
}

async function paste(place: HTMLElement, key: OwnKey): Promise<void> {
  const text = await ask('Let another device in', 'The link that it shows', '', 'Go on')
  if (!text) return
  await approve(text)
  await own(place, key)
}

interface Detector {
  detect(from: HTMLVideoElement): Promise<{ rawValue: string }[]>
}

async function scan(place: HTMLElement, key: OwnKey): Promise<void> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } })
  const Made = (window as unknown as { BarcodeDetector: new (options: { formats: string[] }) => Detector }).BarcodeDetector
  const detector = new Made({ formats: ['qr_code'] })
  const found = await dialog<string>('Point the camera at the code', (body, close) => {
    const video = h('video', { class: 'camera', playsinline: true, muted: true })
    video.srcObject = stream
    body.append(video)
    void video.play()
    const look = async () => {
      if (!video.isConnected) return
      const codes = await detector.detect(video).catch(() => [])
      const code = codes.find((one) => one.rawValue.includes('approve='))
      if (code) close(code.rawValue)
      else setTimeout(() => void look(), 200)
    }
    void look()
  })
  for (const track of stream.getTracks()) track.stop()
  if (!found) return
  await approve(found)
  await own(place, key)
}

// -- a device that wants in ---------------------------------------------------------------------

async function newDevice(place: HTMLElement): Promise<void> {
  const key = await keyOf(newSeed())
  const { default: qrcode } = await import('qrcode-generator')
  let drawnAt = 0
  const draw = async () => {
    const proof = await signed(key)
    drawnAt = Date.now()
    const name = /iPhone|iPad|Android|Mac OS|Windows|Linux/.exec(navigator.userAgent)?.[0] ?? 'Device'
    const parts = [proof.public_key, proof.signature, proof.message, name].join('~')
    const url = `${location.origin}/key#approve=${encodeURIComponent(parts)}`
    const code = qrcode(0, 'L')
    code.addData(url)
    code.make()
    replace(place,
      h('div', { class: 'card' },
        h('h2', {}, 'Let this device in'),
        h('p', {}, 'Scan this with a device that is signed in already, by its camera or on its ', h('b', {}, 'Key'), ' page:'),
        picture(code),
        h('p', {}, 'Compare the letters that it shows:'),
        h('p', { class: 'code', id: 'fingerprint' }, fingerprint(key.public)),
        h('div', { class: 'secret' }, h('code', { id: 'approve-link' }, url), copyButton(url)),
        h('p', { class: 'soft waiting', role: 'status' }, 'Waiting to be let in…')))
  }
  await draw()
  const wait = async (): Promise<void> => {
    if (!place.isConnected) return
    try {
      await signInWith(key, { register: false })
    } catch (error) {
      const isOurs = error instanceof ApiError && (error.status === 401 || error.status === 0 || error.status === 429)
      if (!isOurs) throw error
      if (Date.now() - drawnAt > FRESH_MS) await draw()
      setTimeout(() => void attempt(wait), error.status === 429 ? ASK_MS * 4 : ASK_MS)
      return
    }
    await keep(key)
    history.replaceState(null, '', '/key')
    say('This device is in')
    await start()
  }
  setTimeout(() => void attempt(wait), ASK_MS)
}

/** A code as a picture made of one path: no style, no script, no foreign host. */
function picture(code: { getModuleCount(): number; isDark(row: number, column: number): boolean }): SVGSVGElement {
  const size = code.getModuleCount()
  let path = ''
  for (let row = 0; row < size; row++) for (let column = 0; column < size; column++) if (code.isDark(row, column)) path += `M${column} ${row}h1v1h-1z`
  const made = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  made.setAttribute('viewBox', `-2 -2 ${size + 4} ${size + 4}`)
  made.setAttribute('class', 'qr')
  made.setAttribute('role', 'img')
  made.setAttribute('aria-label', 'Code to scan')
  made.setAttribute('shape-rendering', 'crispEdges')
  const drawn = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  drawn.setAttribute('d', path)
  drawn.setAttribute('fill', '#000')
  made.append(drawn)
  return made
}
