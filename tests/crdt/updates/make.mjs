// Writes yjs.json: real updates of the real Yjs, for the tests of crdt/structure.py and document.py.
//
//   npm install yjs@13.6.33 @y/y@14.0.0-rc.7 && node make.mjs > yjs.json
//
// Each case: name, updates (V1, hex, in the order they were made), whole (V1 of the whole document),
// v2 (the same as V2), text (what the shared text "t" reads, where there is one), clients.
import * as Y from 'yjs'
import * as Y14 from '@y/y'

const hex = bytes => Buffer.from(bytes).toString('hex')
const cases = []
// One generator for all choices: the file comes out the same each time.
let seed = 7
const random = below => { seed = (seed * 48271) % 2147483647; return seed % below }

const record = (name, client, change, options = {}) => {
  const doc = new Y.Doc(options)
  doc.clientID = client
  const updates = []
  doc.on('update', update => updates.push(update))
  change(doc)
  add(name, doc, updates)
  return doc
}

const add = (name, doc, updates, more = {}) => {
  let text
  try { text = doc.getText('t').toString() } catch { text = undefined }
  cases.push({
    name,
    updates: updates.map(hex),
    whole: hex(Y.encodeStateAsUpdate(doc)),
    v2: hex(Y.encodeStateAsUpdateV2(doc)),
    vector: hex(Y.encodeStateVector(doc)),
    text,
    ...more
  })
}

record('empty', 1, () => {})
record('one letter', 1, doc => doc.getText('t').insert(0, 'a'))
record('wide client id', 2 ** 53 - 1, doc => doc.getText('t').insert(0, 'wide'))
record('32 bit client id', 4294967295, doc => doc.getText('t').insert(0, 'u32'))
record('not ascii', 123456789, doc => {
  const text = doc.getText('t')
  text.insert(0, 'Zoé')
  text.insert(3, '🙂👩‍👩‍👧‍👦')
  text.insert(4, 'x') // between the halves of a surrogate pair
  text.delete(1, 3)
  text.insert(0, '日本語 עברית')
})
record('lone surrogates', 5, doc => doc.getText('t').insert(0, 'a\ud83d'))
record('formats and embeds', 222, doc => {
  const text = doc.getText('t')
  text.insert(0, 'plain bold', { bold: true })
  text.format(2, 4, { link: { href: 'https://example.org/ü', n: [1, null, -0, 1e21] } })
  text.insertEmbed(3, { image: 'data:,é', nested: { deep: [[[]]] } }, { width: '10%' })
  text.format(0, 10, { bold: null })
  text.insertEmbed(0, 'just a string')
  text.applyDelta([{ retain: 2 }, { insert: '\n', attributes: { list: 'bullet' } }])
})
record('embedded type', 223, doc => doc.getText('t').insertEmbed(0, new Y.Map([['a', 1]])))
record('all kinds of values', 333, doc => {
  const map = doc.getMap('m')
  const values = [
    null, undefined, true, false, 0, -0, 1, -1, 63, 64, -64, 127, 128, 2 ** 31 - 1, -(2 ** 31),
    2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53, 2 ** 60, 0.5, 0.1, 1 / 3, -1e300,
    NaN, Infinity, -Infinity, 10n, -(2n ** 63n), 2n ** 63n - 1n, '', 'text', 'ü🙂', new Uint8Array([0, 255, 7]),
    new Uint8Array(0), [], [[], [[]], {}], {}, { a: { b: { c: ['d'] } }, '': 1, ü: undefined }
  ]
  values.forEach((value, index) => map.set(`k${index}`, value))
  doc.getArray('a').insert(0, values.filter(value => value !== undefined && typeof value !== 'bigint' && !(value instanceof Uint8Array)))
  map.set('k0', 'again')
  map.delete('k1')
})
record('many u and v', 334, doc => {
  doc.getText('t').insert(0, 'uvuv'.repeat(400))
  doc.getMap('m').set('k', Array.from({ length: 300 }, () => [{ u: ['v'] }]))
})
record('nested types', 444, doc => {
  const array = doc.getArray('a')
  const inner = new Y.Map([['text', new Y.Text('inside')], ['array', Y.Array.from([1, [2], { three: 3 }])]])
  array.insert(0, [inner, 'between', new Y.Array()])
  inner.get('text').insert(3, '--')
  inner.get('array').push([new Y.Map()])
  array.delete(1, 1)
  let map = doc.getMap('m')
  for (let depth = 0; depth < 40; depth++) { const next = new Y.Map(); map.set('deeper', next); map = next }
})
record('xml', 555, doc => {
  const root = doc.getXmlFragment('x')
  const paragraph = new Y.XmlElement('paragraph')
  const text = new Y.XmlText('some text')
  root.insert(0, [paragraph, new Y.XmlText('gone')])
  paragraph.insert(0, [text])
  paragraph.setAttribute('id', 'ü1')
  paragraph.setAttribute('level', 3)
  text.format(0, 4, { em: {} })
  paragraph.insert(1, [new Y.XmlElement('br')])
  root.delete(1, 1)
})
record('xml hook', 556, doc => doc.getXmlFragment('x').insert(0, [new Y.XmlHook('hook')]))
record('subdocuments', 666, doc => {
  const map = doc.getMap('m')
  map.set('one', new Y.Doc({ guid: 'guid-1', autoLoad: true, meta: { title: 'é', tags: ['a'] } }))
  map.set('two', new Y.Doc({ guid: 'ü', gc: false }))
  map.delete('two')
})
record('garbage collected', 777, doc => {
  const text = doc.getText('t')
  for (let i = 0; i < 60; i++) text.insert(random(text.length + 1), 'abc'.slice(0, 1 + random(3)))
  for (let i = 0; i < 40; i++) text.delete(random(text.length - 2), 2)
  const map = doc.getMap('m')
  for (let i = 0; i < 5; i++) { map.set('k', new Y.Map([['x', new Y.Array()]])) }
  map.delete('k')
})
record('not garbage collected', 778, doc => {
  const text = doc.getText('t')
  text.insert(0, 'to be deleted')
  text.delete(3, 5)
  doc.getArray('a').insert(0, [1, new Uint8Array([1]), 'x'])
  doc.getArray('a').delete(0, 3)
}, { gc: false })
record('undone', 779, doc => {
  const text = doc.getText('t')
  const undo = new Y.UndoManager(text, { captureTimeout: 0 })
  text.insert(0, 'one '); text.insert(4, 'two ')
  text.delete(0, 2)
  undo.undo(); undo.undo(); undo.redo(); undo.undo()
})
record('one transaction', 780, doc => doc.transact(() => {
  const text = doc.getText('t')
  for (let i = 0; i < 30; i++) { text.insert(random(text.length + 1), 'w'); if (i % 3 === 2) text.delete(random(text.length), 1) }
}))

// Several replicas that exchange in a random order; what each made is recorded in that order.
const several = (name, clients, steps, act) => {
  const docs = clients.map(client => { const doc = new Y.Doc(); doc.clientID = client; return doc })
  const made = []
  docs.forEach(doc => doc.on('update', (update, origin) => { if (origin !== 'remote') made.push(update) }))
  for (let step = 0; step < steps; step++) {
    act(docs[random(docs.length)], step)
    if (random(4) === 0) {
      const [from, to] = [docs[random(docs.length)], docs[random(docs.length)]]
      Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)), 'remote')
    }
  }
  const whole = new Y.Doc()
  whole.clientID = 1
  made.forEach(update => Y.applyUpdate(whole, update))
  add(name, whole, made)
  return made
}
const edit = doc => {
  const text = doc.getText('t')
  if (text.length > 4 && random(3) === 0) text.delete(random(text.length - 2), 1 + random(2))
  else text.insert(random(text.length + 1), ['a', 'bc', 'ü', '🙂'][random(4)])
  if (random(6) === 0) doc.getMap('m').set('k' + random(3), { n: random(1000), u: 'v' })
}
const made = several('three clients', [1000000001, 1000000002, 4000000003], 120, edit)
several('five clients with small ids', [2, 3, 4, 5, 6], 80, edit)

// Updates that stand for others: merged with gaps, diffs, single structs out of their order.
const merged = (name, parts) => cases.push({ name, updates: [hex(Y.mergeUpdates(parts))] })
merged('merged with gaps', made.filter((_, index) => index % 3 !== 1))
merged('merged with gaps, late part', made.slice(60).filter((_, index) => index % 2 === 0))
merged('merged whole', made)
cases.push({ name: 'diff of a merged update', updates: [hex(Y.diffUpdate(Y.mergeUpdates(made), Buffer.from([1, 0x81, 0x94, 0xeb, 0xdc, 0x03, 9])))] })
{
  // What a client holds back while predecessors are missing is part of what it sends.
  const doc = new Y.Doc()
  made.slice(20).forEach(update => Y.applyUpdate(doc, update))
  cases.push({ name: 'state with pending structs', updates: [hex(Y.encodeStateAsUpdate(doc))] })
}
{
  const doc = new Y.Doc()
  doc.clientID = 9
  doc.getText('t').insert(0, 'hello')
  const vector = Y.encodeStateVector(doc)
  doc.getText('t').delete(1, 2)
  cases.push({ name: 'only deletions', updates: [hex(Y.encodeStateAsUpdate(doc, vector))] })
}

// Yjs 14 (what @y/websocket 4 carries) writes V1 too.
{
  const doc = new Y14.Doc()
  doc.clientID = 1400
  const updates = []
  doc.on('update', update => updates.push(update))
  const text = doc.get('t')
  text.insert(0, 'fourteen')
  text.insert(2, [new Y14.Type('p')])
  text.format(0, 2, { bold: true })
  text.delete(1, 3)
  doc.get('m').setAttr('a', { u: [1, 'é'] })
  cases.push({
    name: 'yjs 14',
    updates: updates.map(hex),
    whole: hex(Y14.encodeStateAsUpdate(doc)),
    v2: hex(Y14.encodeStateAsUpdateV2(doc))
  })
}

// V2 of small documents: the ones that resemble V1 most.
const small = []
for (const client of [0, 1, 2, 5, 127, 128, 300, 4294967295]) {
  for (const change of [
    doc => doc.getText('t').insert(0, 'a'),
    doc => doc.getText('').insert(0, 'hello'),
    doc => { doc.getText('t').insert(0, 'ab'); doc.getText('t').delete(0, 1) },
    doc => { doc.getText('t').insert(0, 'ab'); doc.getText('t').delete(0, 2) },
    doc => doc.getMap('m').set('k', 1),
    doc => doc.getMap('').set('', null),
    doc => { const map = doc.getMap('m'); map.set('a', 1); map.set('b', 2); map.delete('a') },
    doc => doc.getArray('a').insert(0, [1, 2, 3]),
    doc => doc.getXmlFragment('x').insert(0, [new Y.XmlElement('p')]),
    doc => { const p = new Y.XmlElement('p'); doc.getXmlFragment('x').insert(0, [p]); p.setAttribute('a', 'b') },
    doc => doc.getText('t').insert(0, 'x', { b: 1 })
  ]) {
    const doc = new Y.Doc()
    doc.clientID = client
    doc.on('updateV2', update => small.push(hex(update)))
    change(doc)
    small.push(hex(Y.encodeStateAsUpdateV2(doc)))
    small.push(hex(Y.encodeStateAsUpdateV2(doc, Y.encodeStateVector(doc))))
  }
}
console.log(JSON.stringify({ yjs: '13.6.33', cases, v2: [...new Set(small)].sort() }, null, 1))
