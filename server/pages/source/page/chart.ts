// A line over the last minutes, drawn as one path.

import { h } from '../dom'

const POINTS_MAX = 120
const WIDTH = 240
const HEIGHT = 70

export class Chart {
  readonly element: HTMLElement
  private readonly values: (number | null)[] = []
  private readonly others: (number | null)[] = []
  private readonly now = h('b', {}, '–')
  private readonly paths: SVGPathElement[]
  private readonly label: SVGTitleElement

  constructor(
    private readonly title: string,
    unit: string,
    private readonly worded: (value: number) => string,
  ) {
    const make = <T extends SVGElement>(tag: string) => document.createElementNS('http://www.w3.org/2000/svg', tag) as T
    const drawing = make<SVGSVGElement>('svg')
    drawing.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
    drawing.setAttribute('preserveAspectRatio', 'none')
    drawing.setAttribute('role', 'img')
    this.label = make<SVGTitleElement>('title')
    this.paths = [make<SVGPathElement>('path'), make<SVGPathElement>('path')]
    this.paths[1]!.setAttribute('class', 'second')
    this.label.textContent = `${title}: no values yet`
    drawing.append(this.label, ...this.paths)
    this.element = h('figure', { class: 'chart' }, h('figcaption', {}, h('span', {}, title, ', ', unit), this.now), drawing)
  }

  add(value: number | null, other: number | null = null): void {
    this.values.push(value)
    this.others.push(other)
    if (this.values.length > POINTS_MAX) {
      this.values.shift()
      this.others.shift()
    }
    const said = [value, other].filter((one): one is number => one !== null).map(this.worded).join(' · ') || '–'
    this.now.textContent = said
    this.label.textContent = `${this.title}: ${said} now`
    const top = Math.max(1, ...[...this.values, ...this.others].map((one) => one ?? 0)) * 1.1
    this.paths[0]!.setAttribute('d', line(this.values, top))
    this.paths[1]!.setAttribute('d', line(this.others, top))
  }
}

function line(values: (number | null)[], top: number): string {
  let path = ''
  let isDown = false
  values.forEach((value, index) => {
    if (value === null) return void (isDown = false)
    const x = WIDTH - (values.length - 1 - index) * (WIDTH / (POINTS_MAX - 1))
    path += `${isDown ? 'L' : 'M'}${x.toFixed(1)} ${(HEIGHT - 3 - (value / top) * (HEIGHT - 6)).toFixed(1)}`
    isDown = true
  })
  return path
}
