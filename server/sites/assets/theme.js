// Before the page is drawn: the reader's choice of light or dark, if one was made.
(() => {
  try {
    const chosen = localStorage.getItem('theme')
    if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen
  } catch { /* storage may be closed */ }
})()
