// Making elements, telling people what happened, and asking them. Nothing here makes HTML from text.

export type Child = Node | string | null | undefined | false
type Attributes = Record<string, string | number | boolean | null | undefined | EventListener>

/** An element; `on…` attributes are listeners, true and false switch an attribute on and off. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue
    if (typeof value === 'function') element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  element.append(...children.filter((child): child is Node | string => !!child))
  return element
}

/** The element with this id, which the page has. */
export function at<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found as T
}

export function replace(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter((child): child is Node | string => !!child))
}

/**
 * Make children what they should be, and keep those that are so already: whoever has the focus on one, or the
 * finger, is not disturbed. What looks alike does alike; rows that could be mistaken have a `data-id`.
 */
export function redraw(element: Element, ...children: Child[]): void {
  const wanted = children.filter((child): child is Node | string => !!child).map((child) => (typeof child === 'string' ? new Text(child) : child))
  const ids = new Set(wanted.map(idOf))
  for (const old of [...element.childNodes]) if (idOf(old) && !ids.has(idOf(old))) old.remove()
  const known = new Map([...element.childNodes].filter(idOf).map((old) => [idOf(old), old]))
  let at = element.firstChild
  for (const node of wanted) {
    const old = idOf(node) ? known.get(idOf(node)) : at && !idOf(at) ? at : undefined
    if (!old) element.insertBefore(node, at)
    else if (old !== at) element.insertBefore(old, at)
    else at = at.nextSibling
    if (old) merge(old, node)
  }
  while (at) {
    const rest = at
    at = at.nextSibling
    rest.remove()
  }
}

function idOf(node: Node): string | undefined {
  return node instanceof HTMLElement ? node.dataset.id : undefined
}

function merge(old: ChildNode, wanted: Node): void {
  if (old.isEqualNode(wanted)) return
  const isSame = old instanceof Element && wanted.hasChildNodes() && old.cloneNode(false).isEqualNode(wanted.cloneNode(false))
  if (isSame) redraw(old, ...wanted.childNodes)
  else old.replaceWith(wanted)
}

/** Say something in a corner and to screen readers. */
export function say(text: string, kind: 'done' | 'bad' = 'done'): void {
  const box = at('toasts')
  const toast = h('p', { class: `toast ${kind}` }, text)
  box.append(toast)
  setTimeout(() => toast.remove(), kind === 'bad' ? 9000 : 3500)
}

/** Run what a person asked for; an error is said, not thrown. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), 'bad')
    return undefined
  }
}

let pressed: HTMLElement | undefined

/**
 * A button; while its work runs it cannot be pressed again. It stays focusable meanwhile: a disabled one
 * would drop the focus, and whoever goes on by Tab would start at the top.
 */
export function button(label: Child, work: () => unknown, attributes: Attributes = {}): HTMLButtonElement {
  const made = h('button', { type: 'button', ...attributes }, label)
  made.addEventListener('click', () => {
    if (made.hasAttribute('aria-busy')) return
    pressed = made
    made.setAttribute('aria-busy', 'true')
    made.setAttribute('aria-disabled', 'true')
    void attempt(async () => {
      try {
        await work()
      } finally {
        made.removeAttribute('aria-busy')
        made.removeAttribute('aria-disabled')
      }
    })
  })
  return made
}

/** What has the focus again when a dialog closes: what was pressed for it, however late it came. */
function opener(): Element | null {
  const found = pressed?.hasAttribute('aria-busy') ? pressed : document.activeElement
  // Of a menu that has closed since, the button that opens it.
  return found instanceof HTMLElement && !found.offsetParent ? (found.closest('.menu')?.querySelector('button') ?? found) : found
}

export async function copy(text: string): Promise<void> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text)
  } else {
    // Plain http outside this machine: no clipboard API, but the old command still works.
    const box = h('textarea', { readonly: true, class: 'offscreen' })
    box.value = text
    ;(document.querySelector('dialog[open]') ?? document.body).append(box)
    box.select()
    document.execCommand('copy')
    box.remove()
  }
  say('Copied')
}

export function copyButton(text: string, label = 'Copy'): HTMLButtonElement {
  return button(label, () => copy(text), { class: 'quiet copy' })
}

/** Give the browser bytes to keep as a file. */
export function download(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }))
  const link = h('a', { href: url, download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** A dialog with a heading; resolves with what `close` was given, undefined for Escape. */
export function dialog<T>(
  title: string,
  fill: (body: HTMLElement, close: (answer?: T) => void) => void,
  options: { wide?: boolean; stays?: boolean } = {},
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const before = opener()
    let answer: T | undefined
    const body = h('div', { class: 'dialog-body' })
    const box = h('dialog', { 'aria-labelledby': 'dialog-title', class: options.wide ? 'wide' : null })
    const close = (given?: T) => {
      answer = given
      box.close()
    }
    const shut = h('button', { type: 'button', class: 'quiet icon', 'aria-label': 'Close', onclick: () => close() }, '✕')
    box.append(
      h('div', { class: 'dialog-head' }, h('h2', { id: 'dialog-title' }, title), !options.stays && shut),
      body,
    )
    fill(body, close)
    if (options.stays) box.addEventListener('cancel', (event) => event.preventDefault())
    box.addEventListener('close', () => {
      box.remove()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
      resolve(answer)
    })
    document.body.append(box)
    box.showModal()
  })
}

/** Ask for one line of text. */
export function ask(title: string, label: string, value = '', action = 'Save'): Promise<string | undefined> {
  return dialog<string>(title, (body, close) => {
    const input = h('input', { id: 'asked', value, maxlength: 200, required: true, autocomplete: 'off' })
    const form = h(
      'form',
      { method: 'dialog' },
      h('label', { for: 'asked' }, label),
      input,
      h('p', { class: 'actions' }, h('button', { class: 'primary' }, action)),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      if (input.value.trim()) close(input.value.trim())
    })
    body.append(form)
    queueMicrotask(() => input.select())
  })
}

/** Ask whether to do something that cannot be undone. */
export async function confirmed(title: string, text: string, action: string): Promise<boolean> {
  const answer = await dialog<boolean>(title, (body, close) => {
    body.append(
      h('p', {}, text),
      h(
        'p',
        { class: 'actions' },
        h('button', { type: 'button', onclick: () => close(false) }, 'Cancel'),
        h('button', { type: 'button', class: 'danger', onclick: () => close(true) }, action),
      ),
    )
  })
  return answer === true
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000],
]

/** A moment as people say it, with the exact time to hover. */
export function when(at: number | string | null | undefined): HTMLElement {
  if (!at) return h('span', {}, '–')
  const moment = new Date(at)
  const past = moment.getTime() - Date.now()
  const found = UNITS.find(([, size]) => Math.abs(past) >= size)
  let text = 'just now'
  if (found && Math.abs(past) < 7 * 86_400_000) {
    text = new Intl.RelativeTimeFormat('en', { numeric: 'auto' }).format(Math.round(past / found[1]), found[0])
  } else if (found) text = moment.toLocaleDateString('en', { dateStyle: 'medium' })
  return h('time', { datetime: moment.toISOString(), title: moment.toLocaleString() }, text)
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let at = 0
  while (count >= 1000 && at < units.length - 1) {
    count /= 1000
    at += 1
  }
  return `${at && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[at]}`
}
