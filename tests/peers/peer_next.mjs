// Yjs 14 (@y/y) and @y/websocket 4, both pre-releases, in a process without Yjs 13.

import * as Y from '@y/y'
import { WebsocketProvider } from '@y/websocket'
import { serve, Socket } from './peer_core.mjs'

const text = (document) => document.get('text')
const map = (document) => document.get('map')

const shared = {
  document: () => new Y.Doc(),
  text: {
    insert: (document, index, what, attributes) => text(document).insert(index, what, attributes),
    remove: (document, index, length) => text(document).delete(index, length),
    format: (document, index, length, attributes) => text(document).format(index, length, attributes),
    read: (document) => text(document).toArray().join(''),
    delta: (document) => text(document).toDelta().toJSON()
  },
  map: {
    set: (document, key, value) => { map(document).setAttr(key, value) },
    remove: (document, key) => { map(document).deleteAttr(key) },
    read: (document) => map(document).getAttrs()
  },
  vector: (document) => Object.fromEntries(Y.decodeStateVector(Y.encodeStateVector(document))),
  update: (document) => Y.encodeStateAsUpdate(document)
}

serve(shared, ({ url, name, token, connect = true }, doc, emit) => {
  const peer = new WebsocketProvider(`${url}/ws`, name, doc, {
    WebSocketPolyfill: Socket, params: token ? { token } : {}, disableBc: true, connect
  })
  peer.on('status', ({ status }) => emit(status))
  peer.on('synced', (synced) => emit(synced ? 'synced' : 'unsynced'))
  peer.on('connection-close', (event) => emit('close', event?.code ?? null))
  return {
    awareness: peer.awareness,
    synced: () => peer.synced,
    unsynced: () => 0,
    connect: () => peer.connect(),
    disconnect: () => peer.disconnect(),
    destroy: () => peer.destroy()
  }
})
