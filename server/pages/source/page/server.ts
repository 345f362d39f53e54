// The server as its administrators see it: accounts, charts, rooms, slow readers, storage, jobs, and
// the inside of one document.

import { ApiError, get, post } from '../api'
import { at, attempt, bytes, button, confirmed, h, redraw, replace, say, when } from '../dom'
import { calmName } from '../ids'
import { show } from '../signing'
import { Chart } from './chart'

const ASK_MS = 2_000

interface Overview {
  at: number
  node: string
  version: string
  counters: Record<string, number>
  commits: { bounds_s: number[]; counts: number[]; seconds: number } | null
  slow: { remote: string; dialect: string; connected_s: number; waiting_bytes: number }[]
  jobs: { kind: string; state: string; account: string; target: string; counts: Record<string, number>; created_at: string }[]
  storage: Record<string, number>
}

interface Account {
  id: string
  state: string
  is_admin: boolean
  email: string
  public_keys: string[]
  created_at: string
}

interface Room {
  id: string
  name: string
  workspace: string
  sessions: number
  unsaved_bytes: number
  tail_rows: number
  pending: number
  cost: { spent_s: number; level: number }
  closed: unknown
}

const charts = {
  received: new Chart('Edits received', 'each second', (value) => value.toFixed(1)),
  delivered: new Chart('Edits delivered', 'each second', (value) => value.toFixed(1)),
  half: new Chart('Time of a commit', 'p50 and p99, milliseconds', (value) => value.toFixed(1)),
  open: new Chart('Open connections', 'now', (value) => value.toFixed(0)),
}

let last: Overview | undefined

export async function start(): Promise<void> {
  await show(async (place) => {
    let first: Overview
    try {
      first = await get('/api/admin/overview')
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 403)) throw error
      return replace(place, h('div', { class: 'empty' }, h('p', {}, 'This page is for administrators of the server. Your account is none.')))
    }
    replace(place,
      h('dl', { class: 'figures', id: 'figures' }),
      h('div', { class: 'charts' }, ...Object.values(charts).map((chart) => chart.element)),
      section('accounts', 'Accounts'), section('rooms', 'Live documents'), section('slow', 'Slow readers'), section('jobs', 'Jobs'), section('store', 'Storage'),
      h('section', { 'aria-labelledby': 'h-inspect' }, h('h2', { id: 'h-inspect' }, 'Document inspector'), inspecting(), h('div', { id: 'inspected' })),
    )
    draw(first)
    await drawAccounts()
    await drawRooms()
    const wanted = new URLSearchParams(location.hash.slice(1)).get('document')
    if (wanted) await attempt(() => inspect(wanted))
    void watch()
  })
}

function section(id: string, title: string): HTMLElement {
  return h('section', { 'aria-labelledby': `h-${id}` }, h('h2', { id: `h-${id}` }, title), h('div', { id }))
}

async function watch(): Promise<void> {
  for (let turn = 1; ; turn++) {
    await new Promise((resolve) => setTimeout(resolve, ASK_MS))
    if (document.hidden) continue
    try {
      draw(await get('/api/admin/overview'))
      if (turn % 3 === 0) await drawRooms()
      if (turn % 15 === 0) await drawAccounts()
    } catch {
      // The server restarts, or the line is cut: the charts show a gap.
    }
  }
}

function draw(now: Overview): void {
  const { counters, storage } = now
  const figures: [string, string][] = [
    ['Connections', String(counters.connections_open ?? 0)], ['Live documents', String(counters.rooms ?? 0)], ['Sessions', String(counters.sessions ?? 0)],
    ['Not stored yet', bytes(counters.unsaved_bytes ?? 0)], ['Slow readers', String(counters.connections_blocked ?? 0)], ['Accounts', String(storage.accounts ?? 0)],
  ]
  redraw(at('figures'), ...figures.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))))
  if (last && now.node === last.node && now.at > last.at) {
    const rate = (name: string) => Math.max(0, ((counters[name] ?? 0) - (last!.counters[name] ?? 0)) / (now.at - last!.at))
    charts.received.add(rate('updates_in'))
    charts.delivered.add(rate('updates_out'))
    const times = percentiles(last, now)
    charts.half.add(times?.[0] ?? null, times?.[1] ?? null)
  }
  charts.open.add(counters.connections_open ?? 0)
  last = now
  redraw(at('slow'), now.slow.length ? table(['Address', 'Protocol', 'Connected', 'Waiting'], now.slow.map((one) => [one.remote, one.dialect, `${Math.round(one.connected_s)} s`, bytes(one.waiting_bytes)])) : h('p', { class: 'soft' }, 'Everybody keeps up.'))
  redraw(at('jobs'), now.jobs.length ? table(['Kind', 'State', 'For', 'Done', 'Since'], now.jobs.map((job) => [job.kind, job.state, job.target, Object.entries(job.counts).map(([name, count]) => `${name} ${count}`).join(', '), when(job.created_at)])) : h('p', { class: 'soft' }, 'None under way.'))
  redraw(at('store'), table(['What', 'How many', 'Bytes'], [
    ['Workspaces', String(storage.workspaces), '–'],
    ['Documents, their logs', String(storage.documents), bytes(storage.log_bytes ?? 0)],
    ['Snapshots', '–', bytes(storage.snapshot_bytes ?? 0)],
    ['Files', String(storage.files), bytes(storage.file_bytes ?? 0)],
    ['Database on disk', '–', bytes(storage.database_bytes ?? 0)],
  ]), h('p', { class: 'soft' }, `Version ${now.version}, node ${now.node}`))
}

/** p50 and p99 of the commits between two looks, in milliseconds: the bound of their bucket. */
function percentiles(before: Overview, now: Overview): [number, number] | undefined {
  if (!before.commits || !now.commits) return undefined
  const counts = now.commits.counts.map((count, index) => count - before.commits!.counts[index]!)
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total <= 0) return undefined
  const bounds = now.commits.bounds_s
  const of = (part: number) => {
    let sum = 0
    const index = counts.findIndex((count) => (sum += count) >= total * part)
    return 1000 * (bounds[index] ?? bounds[bounds.length - 1]! * 2)
  }
  return [of(0.5), of(0.99)]
}

function table(heads: string[], rows: (string | HTMLElement)[][]): HTMLElement {
  return h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': heads.join(', ') }, h('table', {},
    h('thead', {}, h('tr', {}, ...heads.map((head) => h('th', { scope: 'col' }, head)))),
    h('tbody', {}, ...rows.map((row) => h('tr', {}, ...row.map((cell) => h('td', {}, cell)))))))
}

// -- accounts ----------------------------------------------------------------------------------

async function drawAccounts(): Promise<void> {
  const [{ accounts: pending }, { accounts, has_more }] = await Promise.all([get('/api/admin/pending-users?limit=100'), get('/api/admin/accounts?limit=100')])
  const act = (account: Account, verb: string, done: string) => async () => {
    const isHard = verb === 'disable' || verb === 'refuse'
    if (isHard && !(await confirmed(`${done}?`, 'Logins and tokens of this account end for good.', 'Yes'))) return
    await post(`/api/admin/accounts/${account.id}/${verb}`)
    say(done)
    await drawAccounts()
  }
  const row = (account: Account) => {
    const name = account.email || calmName(account.public_keys[0] ?? account.id)
    const verbs: [string, string, string][] =
      account.state === 'pending' ? [['approve', 'Approve', 'Approved'], ['refuse', 'Refuse', 'Refused']]
        : account.state === 'active' ? [['disable', 'Disable', 'Disabled'], account.is_admin ? ['uncrown', 'No administrator', 'Changed'] : ['crown', 'Make administrator', 'Changed']]
          : [[account.state === 'refused' ? 'approve' : 'enable', 'Let in', 'Let in']]
    return h('li', { 'data-id': account.id },
      h('span', { class: 'what' }, name, h('small', {}, h('code', {}, account.public_keys[0]?.slice(0, 12) ?? account.id), ' since ', when(account.created_at))),
      h('span', { class: `tag ${account.state === 'pending' ? 'warn' : account.state === 'active' ? '' : 'bad'}` }, account.is_admin ? 'administrator' : account.state),
      ...verbs.map(([verb, label, done], index) => button(label, act(account, verb, done), { class: index || account.state === 'active' ? 'quiet small' : 'small primary', 'aria-label': `${label}: ${name}` })))
  }
  const rest = accounts.filter((one: Account) => one.state !== 'pending')
  redraw(at('accounts'),
    pending.length > 0 && h('h3', {}, pending.length === 1 ? '1 waits for approval' : `${pending.length} wait for approval`),
    pending.length > 0 && h('ul', { class: 'list' }, ...pending.map(row)),
    h('ul', { class: 'list' }, ...rest.slice(0, 100).map(row)),
    has_more && h('p', { class: 'soft' }, 'The first hundred are shown.'))
}

// -- documents -----------------------------------------------------------------------------------

async function drawRooms(): Promise<void> {
  const { documents, total } = await get('/api/admin/documents?limit=50')
  if (!documents.length) return redraw(at('rooms'), h('p', { class: 'soft' }, 'Nobody is writing now.'))
  redraw(at('rooms'), table(['Document', 'Sessions', 'Not stored', 'Log tail', 'Waiting', 'Time spent', 'Look inside'], documents.map((room: Room) => [
    h('code', {}, room.name), String(room.sessions), bytes(room.unsaved_bytes), String(room.tail_rows), String(room.pending), `${(room.cost.spent_s * 1000).toFixed(0)} ms`,
    button('Inspect', () => inspect(room.id), { class: 'quiet small', 'data-id': room.id, 'aria-label': `Inspect ${room.name}` }),
  ])), total > documents.length && h('p', { class: 'soft' }, `The costliest of ${total}.`))
}

function inspecting(): HTMLElement {
  const input = h('input', { id: 'document', required: true, autocomplete: 'off', placeholder: 'id, or workspace:name' })
  const form = h('form', { class: 'row' }, h('label', { for: 'document' }, 'Document'), input, h('button', {}, 'Inspect'))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void attempt(() => inspect(input.value.trim()))
  })
  return form
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Inspected = any

async function inspect(id: string): Promise<void> {
  const { document: seen }: { document: Inspected } = await get(`/api/admin/documents/${encodeURIComponent(id)}`)
  history.replaceState(null, '', `#document=${encodeURIComponent(id)}`)
  const again = () => inspect(id)
  const compact = async () => {
    const { compacted } = await post(`/api/admin/documents/${seen.id}/compact`)
    say(compacted ? `Compacted: ${compacted.rows} rows into ${bytes(compacted.snapshot_bytes)}` : 'There was nothing to compact')
    await again()
  }
  const shut = async () => {
    if (!seen.closed && !(await confirmed('Close this document?', 'Whoever is in it is put out, and nobody opens it until you open it again.', 'Close it'))) return
    await post(`/api/admin/documents/${seen.id}/${seen.closed ? 'open' : 'close'}`)
    await again()
  }
  const { sizes, log } = seen
  replace(at('inspected'),
    h('div', { class: 'card' },
      h('h3', {}, h('code', {}, `${seen.workspace}:${seen.name}`)),
      seen.problem && h('p', { class: 'note bad' }, seen.problem),
      seen.closed && h('p', { class: 'note' }, `Closed by ${seen.closed.author}: ${seen.closed.reason}`),
      h('p', { class: 'actions' }, button('Compact now', compact, { class: 'primary' }), button(seen.closed ? 'Open again' : 'Close', shut, { class: 'danger' }), button('Look again', again, { class: 'quiet' })),
      h('h3', {}, 'Sizes'),
      table(['Encoded', 'Visible', 'Snapshot', 'Tail', 'Log', 'History', 'Rows'], [[size(sizes.encoded), size(sizes.visible), size(sizes.snapshot), size(sizes.tail), size(sizes.log), size(sizes.history), String(sizes.rows)]]),
      h('p', { class: 'soft' }, `Sequence ${log.head}, snapshot at ${log.snapshot_sequence}, lineage ${log.lineage}, version ${log.sync_version}; ${log.is_settled ? 'told to the change feed' : 'not told to the change feed yet'}`),
      h('h3', {}, 'Clients here'),
      seen.clients.length ? table(['Account', 'Protocol', 'Address', 'May write', 'Waiting'], seen.clients.map((one: Inspected) => [h('code', {}, one.account), one.dialect, one.address ?? '–', one.can_write ? 'yes' : 'no', one.is_behind ? `behind, ${bytes(one.waiting_bytes)}` : bytes(one.waiting_bytes)])) : h('p', { class: 'soft' }, 'Nobody.'),
      h('h3', {}, 'State vector'),
      seen.state_vector ? table(['Client', 'Clock'], seen.state_vector.clocks.map((one: Inspected) => [String(one.client), String(one.clock)])) : h('p', { class: 'soft' }, 'It cannot be read.'),
      h('h3', {}, 'Pending'),
      h('p', {}, seen.pending ? `${seen.pending.count} updates wait for a predecessor (${bytes(seen.pending.bytes)}), ${seen.pending.below_snapshot} of them below the snapshot.` : 'Unknown.'),
      h('h3', {}, 'Quarantine'),
      seen.quarantine.length ? table(['Row', 'Bytes', 'Reason', 'By', 'When'], seen.quarantine.map((one: Inspected) => [String(one.sequence ?? '–'), bytes(one.bytes), one.reason, one.author ?? '–', when(one.at)])) : h('p', { class: 'soft' }, 'Empty.'),
      h('h3', {}, 'End of the log'),
      seen.log_tail.length ? table(['Row', 'Bytes', 'By', 'When', 'State'], seen.log_tail.map((row: Inspected) => [String(row.sequence), bytes(row.bytes), h('code', {}, row.author ?? '–'), when(row.at), row.pending ? 'pending' : row.quarantined ? 'quarantined' : ''])) : h('p', { class: 'soft' }, 'Nothing above the snapshot.'),
    ))
  at('inspected').scrollIntoView({ block: 'start' })
}

function size(count: number | null): string {
  return count == null ? '–' : bytes(count)
}
