// Starts what the page needs. Each page is a part of its own, loaded when its page is open.

import { attempt, at, copy, say } from './dom'

const PAGES: Record<string, () => Promise<{ start: () => void | Promise<void> }>> = {
  front: () => import('./page/front'),
  workspaces: () => import('./page/workspaces'),
  editor: () => import('./page/editor'),
  key: () => import('./page/key'),
  access: () => import('./page/access'),
  sites: () => import('./page/sites'),
  server: () => import('./page/server'),
  verify: () => import('./page/verify'),
}

document.addEventListener('click', (event) => {
  const pressed = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-copy]') : null
  if (pressed?.dataset.copy) void attempt(() => copy(at(pressed.dataset.copy!).textContent ?? ''))
})

addEventListener('unhandledrejection', (event) => {
  say(event.reason instanceof Error ? event.reason.message : String(event.reason), 'bad')
})

// What is pressed before its page's part is here is done when it is.
let early: HTMLButtonElement[] | null = []
document.addEventListener('click', (event) => {
  const pressed = event.target instanceof Element ? event.target.closest('button') : null
  if (early && pressed && !pressed.dataset.copy) early.push(pressed)
})

const load = PAGES[document.body.dataset.page ?? '']
if (load)
  void load().then((page) => {
    const started = page.start()
    const pressed = early ?? []
    early = null
    for (const button of pressed) button.click()
    return started
  })
