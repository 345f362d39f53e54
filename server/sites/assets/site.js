// What a page can do beyond being read: menu, theme, search while typing, folders that come when they
// are opened. Everything works without it, too.
(() => {
  'use strict'
  const root = document.documentElement

  const menu = document.querySelector('.menu-button')
  if (menu) {
    menu.hidden = false
    menu.addEventListener('click', () => {
      const open = document.body.classList.toggle('menu-open')
      menu.setAttribute('aria-expanded', String(open))
    })
    document.addEventListener('keydown', event => {
      if (event.key === 'Escape' && document.body.classList.contains('menu-open')) menu.click()
    })
  }

  const theme = document.querySelector('.theme-button')
  if (theme) {
    theme.hidden = false
    theme.addEventListener('click', () => {
      const dark = root.dataset.theme
        ? root.dataset.theme === 'dark'
        : matchMedia('(prefers-color-scheme: dark)').matches
      root.dataset.theme = dark ? 'light' : 'dark'
      try { localStorage.setItem('theme', root.dataset.theme) } catch { /* it holds for this page */ }
      root.dispatchEvent(new Event('theme'))
    })
  }

  const sidebar = document.querySelector('.site-sidebar')
  if (sidebar) {
    sidebar.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' })
    sidebar.addEventListener('toggle', async event => {
      const folder = event.target
      if (!folder.open || folder.dataset.folder === undefined) return
      const name = folder.dataset.folder
      delete folder.dataset.folder
      try {
        const answer = await fetch(`${sidebar.dataset.tree}?folder=${encodeURIComponent(name)}`)
        if (!answer.ok) throw new Error(String(answer.status))
        folder.insertAdjacentHTML('beforeend', await answer.text())
      } catch {
        folder.dataset.folder = name
        folder.open = false
      }
    }, true)
  }

  const form = document.querySelector('form.search')
  if (form) {
    const box = form.querySelector('input')
    const list = form.querySelector('.search-results')
    let asked = 0
    let timer = 0
    const show = hits => {
      list.replaceChildren(...hits.map(hit => {
        const link = document.createElement('a')
        link.href = hit.url
        const title = document.createElement('strong')
        title.textContent = hit.title
        const words = document.createElement('small')
        words.textContent = hit.excerpt
        link.append(title, words)
        return link
      }))
      if (!hits.length) list.textContent = 'Nothing found.'
      list.hidden = false
    }
    const ask = async () => {
      const number = ++asked
      const query = box.value.trim()
      if (query.length < 2) { list.hidden = true; return }
      try {
        const answer = await fetch(`${form.dataset.search}?q=${encodeURIComponent(query)}`)
        const found = await answer.json()
        if (number === asked) show(found.hits)
      } catch { list.hidden = true }
    }
    box.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(ask, 150) })
    document.addEventListener('click', event => { if (!form.contains(event.target)) list.hidden = true })
    form.addEventListener('keydown', event => {
      if (event.key === 'Escape') { list.hidden = true; box.focus() }
      if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        const links = [...list.querySelectorAll('a')]
        if (!links.length || list.hidden) return
        const step = event.key === 'ArrowDown' ? 1 : -1
        const at = links.indexOf(document.activeElement) + step
        ;(links[at] || box).focus()
        event.preventDefault()
      }
    })
    document.addEventListener('keydown', event => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)
      if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey) {
        box.focus()
        event.preventDefault()
      }
    })
  }

  for (const block of document.querySelectorAll('.prose pre:not(.mermaid)')) {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'copy-button'
    button.textContent = 'Copy'
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(block.querySelector('code')?.textContent ?? '')
        button.textContent = 'Copied'
      } catch { button.textContent = 'Not allowed' }
      setTimeout(() => { button.textContent = 'Copy' }, 1500)
    })
    if (navigator.clipboard) block.append(button)
  }
})()
