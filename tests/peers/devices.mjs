// Offline devices with real Yjs: they edit their replicas, queue an update for each edit, and judge
// in the end whether every replica holds every edit exactly once. One JSON command a line.
import * as Y from 'yjs'
import { createInterface } from 'node:readline'

const base64 = (bytes) => Buffer.from(bytes).toString('base64')
const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'))
const devices = [] // each: Map of block id -> Y.Doc
const written = new Map() // block id -> Set of marks that must be in its text in the end

// A small generator with a seed, so that a failure can be repeated.
const randomOf = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

const docOf = (device, block) => {
  if (!devices[device].has(block)) devices[device].set(block, new Y.Doc())
  return devices[device].get(block)
}

// One edit: a unique mark somewhere in the text, now and then with one of the device's own removed,
// a map entry, or a new paragraph of the title.
const edit = (doc, mark, own, marks, random) => {
  const text = doc.getText('content')
  doc.transact(() => {
    const length = text.length
    if (own.length > 3 && random() < 0.15) {
      const gone = own.splice(Math.floor(random() * own.length), 1)[0]
      const at = text.toString().indexOf(gone)
      if (at >= 0) {
        text.delete(at, gone.length)
        marks.delete(gone)
      }
    }
    // Between two marks, never inside one.
    const places = [...text.toString().matchAll(/;/g)].map((match) => match.index + 1)
    const at = places.length && random() < 0.7 ? places[Math.floor(random() * places.length)] : length
    text.insert(Math.min(at, text.length), mark)
    marks.add(mark)
    own.push(mark)
    if (random() < 0.1) doc.getMap('map').set(`k${Math.floor(random() * 5)}`, mark)
    if (random() < 0.02) doc.getXmlFragment('title_v0').push([new Y.XmlText(mark)])
  })
}

const commands = {
  // Each device makes `edits` edits over the same blocks, without seeing the other.
  make ({ count, blocks, edits, seed }) {
    const random = randomOf(seed)
    const queues = []
    for (let device = 0; device < count; device++) {
      devices[device] = new Map()
      const queue = []
      const own = new Map(blocks.map((block) => [block, []]))
      for (let number = 0; number < edits; number++) {
        const block = blocks[Math.floor(random() * blocks.length)]
        const doc = docOf(device, block)
        if (!written.has(block)) written.set(block, new Set())
        const updates = []
        const hear = (update) => updates.push(update)
        doc.on('update', hear)
        edit(doc, `${device}.${number};`, own.get(block), written.get(block), random)
        doc.off('update', hear)
        for (const update of updates) queue.push({ block, update: base64(update) })
      }
      queues.push(queue)
    }
    return { queues }
  },
  vectors ({ device, blocks }) {
    return { vectors: blocks.map((block) => base64(Y.encodeStateVector(docOf(device, block)))) }
  },
  apply ({ device, updates }) {
    for (const { block, update } of updates) Y.applyUpdate(docOf(device, block), bytes(update))
    return {}
  },
  // What is wrong with any replica: a mark that is missing, doubled or back; and any difference.
  judge ({ states }) {
    const complaints = []
    for (const [block, state] of Object.entries(states)) {
      const server = new Y.Doc()
      Y.applyUpdate(server, bytes(state))
      const replicas = [server, ...devices.map((_, device) => docOf(device, block))]
      const seen = replicas.map((doc) => JSON.stringify([
        doc.getText('content').toString(), Object.entries(doc.getMap('map').toJSON()).sort(),
        doc.getXmlFragment('title_v0').toString(),
        [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort()
      ]))
      if (new Set(seen).size !== 1) complaints.push(`${block}: replicas differ`)
      if (replicas.some((doc) => doc.store.pendingStructs || doc.store.pendingDs)) {
        complaints.push(`${block}: something waits`)
      }
      const marks = server.getText('content').toString().split(';').filter(Boolean).map((m) => m + ';')
      const wanted = written.get(block) ?? new Set()
      if (marks.length !== new Set(marks).size) complaints.push(`${block}: doubled`)
      if (marks.length !== wanted.size || !marks.every((mark) => wanted.has(mark))) {
        complaints.push(`${block}: ${marks.length} marks instead of ${wanted.size}`)
      }
    }
    return { complaints }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  let answer
  try {
    answer = commands[command.do](command)
  } catch (error) {
    answer = { error: String(error.stack ?? error) }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
