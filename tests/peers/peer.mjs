// Yjs 13 and the providers that go with it. Usage: node peer.mjs PROVIDER
// PROVIDER: y-websocket-1, y-websocket-2, y-websocket, hocuspocus-2, hocuspocus-3, hocuspocus, y-sweet

import * as Y from 'yjs'
import { serve, Socket } from './peer_core.mjs'

const kind = process.argv[2]
const providers = {
  'y-websocket-1': 'y-websocket-1',
  'y-websocket-2': 'y-websocket-2',
  'y-websocket': 'y-websocket',
  'hocuspocus-2': '@hocuspocus/provider-2',
  'hocuspocus-3': '@hocuspocus/provider-3',
  hocuspocus: '@hocuspocus/provider',
  'y-sweet': '@y-sweet/client'
}
const provider = await import(providers[kind])

const text = (document) => document.getText('text')
const map = (document) => document.getMap('map')
const shared = {
  document: () => new Y.Doc(),
  text: {
    insert: (document, index, what, attributes) => text(document).insert(index, what, attributes ?? {}),
    remove: (document, index, length) => text(document).delete(index, length),
    format: (document, index, length, attributes) => text(document).format(index, length, attributes),
    read: (document) => text(document).toString(),
    delta: (document) => text(document).toDelta()
  },
  map: {
    set: (document, key, value) => { map(document).set(key, value) },
    remove: (document, key) => map(document).delete(key),
    read: (document) => map(document).toJSON()
  },
  vector: (document) => Object.fromEntries(Y.decodeStateVector(Y.encodeStateVector(document))),
  update: (document) => Y.encodeStateAsUpdate(document)
}

/** y-websocket: the room is in the path, the token in the query. */
const openYWebsocket = ({ url, name, token, connect = true }, doc, emit) => {
  const peer = new provider.WebsocketProvider(`${url}/ws`, name, doc, {
    WebSocketPolyfill: Socket, params: token ? { token } : {}, disableBc: true, connect
  })
  peer.on('status', ({ status }) => emit(status))
  peer.on('sync', (synced) => emit(synced ? 'synced' : 'unsynced'))
  peer.on('connection-close', (event) => emit('close', event?.code ?? null))
  peer.on('closed', (event) => emit('closed', event?.code ?? null))
  return {
    awareness: peer.awareness,
    synced: () => peer.synced,
    unsynced: () => 0, // this protocol has no acknowledgement
    connect: () => peer.connect(),
    disconnect: () => peer.disconnect(),
    destroy: () => peer.destroy()
  }
}

const hocuspocusSockets = new Map()

/** Hocuspocus: clients with the same `socket` share one connection. */
const openHocuspocus = ({ url, name, token, socket = name, connect = true }, document, emit) => {
  if (!hocuspocusSockets.has(socket)) {
    hocuspocusSockets.set(socket, new provider.HocuspocusProviderWebsocket({
      url: `${url}/ws`, WebSocketPolyfill: Socket, autoConnect: connect, connect
    }))
  }
  const websocketProvider = hocuspocusSockets.get(socket)
  websocketProvider.on('open', () => emit('connected'))
  const peer = new provider.HocuspocusProvider({
    websocketProvider,
    name,
    token: token ?? undefined,
    document,
    onSynced: () => emit('synced'),
    onAuthenticated: (data) => emit('authenticated', data?.scope ?? null),
    onAuthenticationFailed: ({ reason }) => emit('authentication-failed', reason),
    onClose: ({ event }) => emit('close', event?.code ?? null),
    onStateless: ({ payload }) => emit('stateless', payload)
  })
  if (peer.isAttached === false || peer._isAttached === false) peer.attach()
  return {
    awareness: peer.awareness,
    synced: () => peer.synced ?? peer.isSynced,
    unsynced: () => peer.unsyncedChanges,
    connect: () => websocketProvider.connect(),
    disconnect: () => websocketProvider.disconnect(),
    destroy: () => {
      peer.destroy()
      websocketProvider.destroy()
      hocuspocusSockets.delete(socket)
    },
    send: (payload) => peer.sendStateless(payload)
  }
}

const post = async (url, body, token) => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: JSON.stringify(body)
  })
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

/** Y-Sweet: an application asks REST for a document and for a token that opens only that one. */
const openYSweet = async ({ url, name, token, authorization = 'full', connect = true }, doc, emit) => {
  const http = url.replace(/^ws/, 'http')
  const authorize = async () => {
    await post(`${http}/doc/new`, { docId: name }, token)
    return post(`${http}/doc/${name}/auth`, { authorization }, token)
  }
  const peer = provider.createYjsProvider(doc, name, authorize, {
    WebSocketPolyfill: Socket, showDebuggerLink: false, connect
  })
  peer.on('connection-status', (status) => {
    emit(status)
    if (status === 'connected') emit('synced')
  })
  return {
    awareness: peer.awareness,
    synced: () => peer.status === 'connected',
    unsynced: () => Math.max(0, peer.localVersion - Math.max(0, peer.ackedVersion)),
    connect: () => peer.connect(),
    disconnect: () => peer.disconnect(),
    destroy: () => {
      // 0.9.1 takes its own goodbye for a broken line, and connects again.
      Object.assign(peer.websocket ?? {}, { onclose: null, onerror: null })
      peer.clearHeartbeat()
      peer.clearConnectionTimeout()
      peer.disconnect()
      peer.destroy()
    }
  }
}

serve(shared, kind.startsWith('y-websocket') ? openYWebsocket : kind === 'y-sweet' ? openYSweet : openHocuspocus)
