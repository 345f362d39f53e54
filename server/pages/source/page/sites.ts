// Published sites: how each is doing, its password and domain, and taking over one without an owner.

import { ApiError, get, patch, post, remove } from '../api'
import { ask, attempt, button, confirmed, copyButton, dialog, h, replace, say, when } from '../dom'
import { show } from '../signing'

interface Row {
  id: string
  projectName: string
  url: string
  fileCount: number
  updatedAt: string
}

interface Detail extends Row {
  privacyMode?: string
  customDomain?: string | null
  enableSearch?: boolean
  enableComments?: boolean
}

interface Blob {
  path: string
  syncStatus: 'UPLOADING' | 'PROCESSING' | 'SUCCESS' | 'ERROR'
  syncError: string | null
  /** Of a text: its name on the line, its workspace before a colon. */
  document?: string | null
}

interface Status {
  status: string
  blobs?: Blob[]
}

const FILES_SHOWN_MAX = 500

export async function start(): Promise<void> {
  const claim = new URLSearchParams(location.hash.slice(1))
  await show(async (place) => {
    await draw(place)
    if (claim.get('site') && claim.get('token')) {
      history.replaceState(null, '', '/sites')
      await attempt(() => take(place, claim.get('site')!, claim.get('token')!))
    }
  })
}

async function draw(place: HTMLElement): Promise<void> {
  const [{ sites }, user] = await Promise.all([get('/api/sites'), get('/api/user')])
  const rows: HTMLElement[] = await Promise.all(sites.map((site: Row) => row(place, site)))
  replace(place,
    h('p', { class: 'actions' }, button('New site', () => make(place, user.username), { class: 'primary' }), button('Claim a site', () => claiming(place))),
    rows.length
      ? h('ul', { class: 'list' }, ...rows)
      : h('div', { class: 'empty' }, h('p', {}, 'You have published nothing yet. Make a site here, then send its files with a command line or an editor that knows this server, and a token from ', h('a', { href: '/access' }, 'Access'), '.')),
    h('section', { class: 'card' },
      h('h2', {}, 'Your name'),
      h('p', {}, user.username ? h('span', {}, 'Sites stand under ', h('code', {}, `/@${user.username}/…`)) : 'Choose a name before you publish: your sites stand under it.'),
      h('p', { class: 'actions' }, button(user.username ? 'Change it' : 'Choose a name', () => rename(place, user.username)))))
}

async function row(place: HTMLElement, site: Row): Promise<HTMLElement> {
  const [status, detail]: [Status, Detail] = await Promise.all([
    get(`/api/sites/id/${site.id}/status`).catch(() => ({ status: 'error' })),
    get(`/api/sites/id/${site.id}`).then((said) => said.site).catch(() => site),
  ])
  const kind = { complete: 'good', pending: 'warn', error: 'bad' }[status.status] ?? ''
  const word = { complete: 'published', pending: 'on its way', error: 'has errors' }[status.status] ?? status.status
  const blobs = status.blobs ?? []
  const wrong = blobs.filter((one) => one.syncStatus === 'ERROR')
  return h('li', {},
    h('div', { class: 'what' },
      h('a', { href: site.url, rel: 'noopener', class: 'what' }, site.projectName),
      h('small', {}, site.fileCount === 1 ? '1 file' : `${site.fileCount} files`, ', changed ', when(site.updatedAt), detail.customDomain && ` · ${detail.customDomain}`)),
    h('span', { class: `tag ${kind}` }, word),
    detail.privacyMode === 'PASSWORD' && h('span', { class: 'tag' }, 'password'),
    wrong.length > 0 && button(wrong.length === 1 ? '1 error' : `${wrong.length} errors`, () => files('What went wrong', wrong), { class: 'quiet small danger', 'aria-label': `Errors of ${site.projectName}` }),
    blobs.length > 0 && button('Files', () => files(`Files of ${site.projectName}`, blobs), { class: 'quiet small', 'aria-label': `Files of ${site.projectName}` }),
    h('a', { class: 'button small', href: site.url, rel: 'noopener' }, 'Visit'),
    button('Password', () => password(place, detail), { class: 'quiet small', 'aria-label': `Password of ${site.projectName}` }),
    button('Domain', () => domain(place, detail), { class: 'quiet small', 'aria-label': `Domain of ${site.projectName}` }),
    button('Delete', () => drop(place, site), { class: 'quiet small danger', 'aria-label': `Delete ${site.projectName}` }))
}

async function make(place: HTMLElement, username: string): Promise<void> {
  if (!username && !(await rename(place, ''))) return
  const projectName = await ask('New site', 'Name, as it stands in its address', '', 'Make it')
  if (!projectName) return
  await post('/api/sites', { projectName })
  await draw(place)
}

async function rename(place: HTMLElement, now: string): Promise<boolean> {
  const username = await ask('Your name', 'Letters, digits and hyphens', now)
  if (!username) return false
  await patch('/api/user', { username })
  await draw(place)
  return true
}

async function password(place: HTMLElement, site: Detail): Promise<void> {
  const isOn = site.privacyMode === 'PASSWORD'
  const given = await dialog<string>(`Password of ${site.projectName}`, (body, close) => {
    const input = h('input', { id: 'password', type: 'password', minlength: 8, maxlength: 128, autocomplete: 'new-password', required: true })
    const form = h('form', {},
      h('p', { class: 'soft' }, isOn ? 'Visitors need a password now.' : 'Everybody may visit now.'),
      h('label', { for: 'password' }, 'New password, 8 letters or more'), input,
      h('p', { class: 'actions' }, isOn && h('button', { type: 'button', class: 'danger', onclick: () => close('') }, 'Open to everybody'), h('button', { class: 'primary' }, 'Set')))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      close(input.value)
    })
    body.append(form)
  })
  if (given === undefined) return
  await patch(`/api/sites/id/${site.id}`, given ? { password: given, privacyMode: 'PASSWORD' } : { password: null, privacyMode: 'PUBLIC' })
  say(given ? 'The password holds from now on' : 'Open to everybody')
  await draw(place)
}

interface Standing {
  status: string
  domainJson: { verification: { type: string; domain: string; value: string }[] }
}

async function domain(place: HTMLElement, site: Detail): Promise<void> {
  const name = await askDomain(site)
  if (name === undefined) return
  await patch(`/api/sites/id/${site.id}`, { customDomain: name || null })
  await draw(place)
  if (!name) return void say('It has no domain of its own now')
  await dialog<void>('Point the domain here', (body) => {
    const told = h('div', { role: 'status' }, h('p', { class: 'soft' }, 'Asking the name servers…'))
    body.append(told)
    const check = () => attempt(async () => {
      const said: Standing = await get(`/api/domain/${encodeURIComponent(name)}/verify`)
      const records = said.domainJson.verification
      replace(told,
        h('p', {}, h('b', {}, said.status), '. ', STANDINGS[said.status]),
        ...records.map((one) => h('div', { class: 'secret' }, h('code', {}, `${one.type} ${one.domain} ${one.value}`), copyButton(one.value))),
        h('p', { class: 'actions' }, button('Ask again', check)))
    })
    void check()
  })
}

/** What each answer about a domain asks of its owner. */
const STANDINGS: Record<string, string> = {
  'Valid Configuration': 'The site stands at this domain.',
  'Pending Verification': 'Make this record where the domain’s names are kept; it shows that the domain is yours.',
  'Invalid Configuration': 'The domain is yours. Make this record, so that it leads here.',
  'Domain Not Found': 'No site has asked for this domain.',
  'Unknown Error': 'The name servers did not answer.',
}

async function askDomain(site: Detail): Promise<string | undefined> {
  return dialog<string>(`Domain of ${site.projectName}`, (body, close) => {
    const input = h('input', { id: 'domain', value: site.customDomain ?? '', maxlength: 253, required: true, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', placeholder: 'notes.example.org' })
    const form = h('form', {},
      h('label', { for: 'domain' }, 'A domain that is yours'), input,
      h('p', { class: 'actions' }, site.customDomain && h('button', { type: 'button', class: 'danger', onclick: () => close('') }, 'Use none'), h('button', { class: 'primary' }, 'Set')))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      close(input.value.trim().toLowerCase())
    })
    body.append(form)
  })
}

async function drop(place: HTMLElement, site: Row): Promise<void> {
  if (!(await confirmed(`Delete ${site.projectName}?`, 'The site and its files are gone at once.', 'Delete'))) return
  await remove(`/api/sites/id/${site.id}`)
  await draw(place)
  say('Deleted')
}

async function files(title: string, blobs: Blob[]): Promise<void> {
  const words = { UPLOADING: 'awaited', PROCESSING: 'on its way', SUCCESS: '', ERROR: 'failed' }
  await dialog<void>(title, (body) => {
    body.append(h('ul', { class: 'list' }, ...blobs.slice(0, FILES_SHOWN_MAX).map((one) => h('li', {},
      h('span', { class: 'what' }, one.path, one.syncError && h('small', {}, one.syncError)),
      words[one.syncStatus] && h('span', { class: `tag ${one.syncStatus === 'ERROR' ? 'bad' : 'warn'}` }, words[one.syncStatus]),
      one.document && h('a', { class: 'button small', href: editorOf(one.document), 'aria-label': `Edit ${one.path}` }, 'Edit')))))
    if (blobs.length > FILES_SHOWN_MAX) body.append(h('p', { class: 'soft' }, `The first ${FILES_SHOWN_MAX} of ${blobs.length} are shown.`))
  }, { wide: true })
}

function editorOf(name: string): string {
  const [workspace, ...path] = name.split(':')
  return `/w/${encodeURIComponent(workspace!)}/${encodeURIComponent(path.join(':'))}`
}

async function claiming(place: HTMLElement): Promise<void> {
  const given = await dialog<[string, string]>('Claim a site', (body, close) => {
    const site = h('input', { id: 'claim-site', required: true, autocomplete: 'off' })
    const token = h('input', { id: 'claim-token', required: true, autocomplete: 'off' })
    const form = h('form', {},
      h('p', { class: 'soft' }, 'Who publishes without an account gets the id of the site and a token that makes it theirs later, once.'),
      h('label', { for: 'claim-site' }, 'Id of the site'), site, h('label', { for: 'claim-token' }, 'Ownership token'), token,
      h('p', { class: 'actions' }, h('button', { class: 'primary' }, 'Claim it')))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      close([site.value.trim(), token.value.trim()])
    })
    body.append(form)
  })
  if (given) await take(place, ...given)
}

async function take(place: HTMLElement, siteId: string, ownershipToken: string): Promise<void> {
  try {
    await post('/api/sites/claim', { siteId, ownershipToken })
  } catch (error) {
    if (error instanceof ApiError && error.status < 500 && error.status) throw new Error(`The site could not be claimed. ${error.message}`)
    throw error
  }
  await draw(place)
  say('The site is yours')
}
