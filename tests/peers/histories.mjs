// Random honest histories by the real Yjs, and its verdict on what was made of them.
//
//   node histories.mjs make SEED COUNT      one JSON a line: updates (hex, as made), state vector, content
//   node histories.mjs judge < LINES        one JSON a line: steps (hex, to apply in order) and content;
//                                           answers the numbers of the lines whose outcome is another
//
// Text is cut anywhere, inside emoji too; formats, embeds, arrays, maps, nested types, XML, undo.
import fs from 'node:fs'
import * as Y from 'yjs'

const hex = bytes => Buffer.from(bytes).toString('hex')
const PIECES = ['a', 'bc', 'ü', '🙂', '👩‍👩‍👧‍👦', '日本', 'x\n', 'defgh']
let state = 1
const chance = below => { state = (state * 48271) % 2147483647; return state % below }

const sorted = value => Array.isArray(value)
  ? value.map(sorted)
  : value && typeof value === 'object'
    ? Object.fromEntries(Object.keys(value).sort().map(key => [key, sorted(value[key])]))
    : value
const content = doc => JSON.stringify(sorted({
  text: doc.getText('t').toDelta(),
  array: doc.getArray('a').toJSON(),
  map: doc.getMap('m').toJSON(),
  xml: doc.getXmlFragment('x').toString(),
  clocks: [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort((a, b) => a[0] - b[0])
}))

const inText = text => {
  const at = chance(text.length + 1)
  const length = Math.min(1 + chance(4), text.length - at)
  const kind = chance(10)
  if (kind < 6 || length === 0) text.insert(at, PIECES[chance(PIECES.length)])
  else if (kind < 8) text.delete(at, length)
  else if (kind < 9) text.format(at, length, [{ b: true }, { b: null }, { i: { z: 1 } }, { i: null }][chance(4)])
  else text.insertEmbed(at, { img: chance(10) })
}
const inArray = array => {
  if (array.length && chance(3) === 0) array.delete(chance(array.length), 1)
  else array.insert(chance(array.length + 1), [chance(100), 's', [1], { u: 1 }].slice(chance(3)))
}
const inMap = map => {
  const [key, nested] = ['k' + chance(4), 'n' + chance(3)]
  if (chance(2)) map.set(key, [1, 'x', null, { a: [] }][chance(4)])
  else if (map.get(nested) instanceof Y.Map) map.get(nested).set('q' + chance(3), chance(9))
  else map.set(nested, new Y.Map([['q', new Y.Text('in')]]))
  if (chance(5) === 0) map.delete([key, nested][chance(2)])
}
const inXml = root => {
  const at = chance(root.length + 1)
  if (at === root.length) {
    const element = new Y.XmlElement(['p', 'h1'][chance(2)])
    root.insert(at, [element])
    element.setAttribute('id', '' + chance(9))
    element.insert(0, [new Y.XmlText('text')])
  } else if (chance(3) === 0) root.delete(at, 1)
  else { root.get(at).setAttribute('id', 'z' + chance(9)); inText(root.get(at).get(0)) }
}
const act = doc => {
  const kind = chance(8)
  if (kind < 5) inText(doc.getText('t'))
  else if (kind < 6) inArray(doc.getArray('a'))
  else if (kind < 7) inMap(doc.getMap('m'))
  else inXml(doc.getXmlFragment('x'))
}

const history = seed => {
  state = seed + 1
  for (let i = 0; i < 5; i++) chance(3)
  const docs = Array.from({ length: 1 + chance(4) }, (_, number) => {
    const doc = new Y.Doc({ gc: chance(5) > 0 })
    doc.clientID = chance(2) ? 1 + number + chance(1000) * 10 : 3000000000 + chance(1000000) * 10 + number
    return doc
  })
  const made = []
  docs.forEach(doc => doc.on('update', (update, origin) => { if (origin !== 'remote') made.push(update) }))
  const undo = chance(3) ? null : new Y.UndoManager([docs[0].getText('t'), docs[0].getMap('m')], { captureTimeout: 0 })
  const steps = 10 + chance(60)
  for (let step = 0; step < steps; step++) {
    const doc = docs[chance(docs.length)]
    doc.transact(() => { for (let i = chance(5) ? 1 : 4; i > 0; i--) act(doc) })
    if (undo && chance(6) === 0) chance(3) ? undo.undo() : undo.redo()
    if (chance(4) === 0) {
      const [from, to] = [docs[chance(docs.length)], docs[chance(docs.length)]]
      Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)), 'remote')
    }
  }
  const whole = new Y.Doc()
  made.forEach(update => Y.applyUpdate(whole, update))
  return { updates: made.map(hex), content: content(whole) }
}

const [, , mode, seed, count] = process.argv
if (mode === 'make') {
  for (let number = 0; number < +count; number++) console.log(JSON.stringify(history(+seed + number)))
} else {
  const wrong = []
  fs.readFileSync(0, 'utf8').trim().split('\n').forEach((line, number) => {
    const { steps, content: expected } = JSON.parse(line)
    const doc = new Y.Doc()
    steps.forEach(update => Y.applyUpdate(doc, Buffer.from(update, 'hex')))
    if (content(doc) !== expected) wrong.push(number)
  })
  console.log(JSON.stringify(wrong))
}
