// Mermaid's drawings, in the colours of the page; again when those change. A drawing that cannot be
// read stays as its source.
(() => {
  'use strict'
  const blocks = [...document.querySelectorAll('pre.mermaid')].slice(0, 50)
  const sources = blocks.map(block => block.textContent)
  let round = 0

  const draw = async () => {
    const chosen = document.documentElement.dataset.theme
    const dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
    window.mermaid.initialize({
      startOnLoad: false,
      securityLevel: 'strict',
      theme: dark ? 'dark' : 'default',
      fontFamily: 'sans-serif'
    })
    const number = ++round
    for (const [index, block] of blocks.entries()) {
      try {
        const { svg } = await window.mermaid.render(`drawing-${number}-${index}`, sources[index])
        if (number !== round) return
        block.innerHTML = svg
        block.classList.add('drawn')
      } catch {
        document.querySelector(`#ddrawing-${number}-${index}`)?.remove()
        block.classList.add('broken')
      }
    }
  }

  document.documentElement.addEventListener('theme', draw)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
  draw()
})()
