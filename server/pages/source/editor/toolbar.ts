// A toolbar is one stop of the Tab key; arrows go from button to button.

export function toolbar(place: HTMLElement): void {
  place.hidden = false
  const buttons = () => [...place.querySelectorAll<HTMLButtonElement>('button')]
  buttons().forEach((one, index) => (one.tabIndex = index ? -1 : 0))
  place.onmousedown = (event) => event.preventDefault()
  place.onkeydown = (event) => {
    const all = buttons()
    const at = all.indexOf(document.activeElement as HTMLButtonElement)
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -at, End: all.length - 1 - at }[event.key]
    if (step === undefined || at < 0) return
    event.preventDefault()
    const next = all[(at + step + all.length) % all.length]!
    all[at]!.tabIndex = -1
    next.tabIndex = 0
    next.focus()
  }
}
