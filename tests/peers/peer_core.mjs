// A peer that Python drives: one command per line on stdin, one answer or event per line on stdout.
//
// The caller brings its Yjs and an `open` function per provider, so that each process has exactly
// one copy of Yjs (two copies in one process break each other's documents).
//
// Command: {"id": 1, "do": "open", "client": "a", ...}     answer: {"id": 1, ...} or {"id": 1, "error": "..."}
// Event:   {"event": "close", "client": "a", "detail": ...}

import { createInterface } from 'node:readline'
import WebSocket from 'ws'

// What is open right now; a socket that is dropped is one whose cable was pulled.
const sockets = new Set()

/** A WebSocket that knows it is open, and sends no credentials of its own. */
export class Socket extends WebSocket {
  constructor (url, protocols) {
    super(url, protocols ?? [], { perMessageDeflate: false })
    sockets.add(this)
    this.on('close', () => sockets.delete(this))
    this.on('error', () => {}) // providers listen too; an error nobody listens to would end the process
  }
}

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')
const base64 = (bytes) => Buffer.from(bytes).toString('base64')

/**
 * Serve commands until stdin ends.
 *
 * shared: how this Yjs spells what we need: {document, text: {insert, remove, format, read, delta}, map: {set, remove, read}, vector, update}
 * open(options, document, emit) answers {provider, awareness, synced(), unsynced(), connect(), disconnect(), destroy(), send?(text)}
 */
export const serve = (shared, open) => {
  const clients = new Map()
  const commands = {
    async open (options) {
      const document = options.same_document ? clients.get(options.same_document).document : shared.document()
      const client = { document, events: {}, peer: null }
      const emit = (event, detail = null) => {
        client.events[event] = (client.events[event] ?? 0) + 1
        say({ event, client: options.client, detail })
      }
      // A failure to open is the answer to the command; clients that exist stay.
      client.peer = await open(options, document, emit)
      clients.set(options.client, client)
      return {}
    },
    insert: (client, { index, text, attributes }) => shared.text.insert(client.document, index, text, attributes),
    remove: (client, { index, length }) => shared.text.remove(client.document, index, length),
    format: (client, { index, length, attributes }) => shared.text.format(client.document, index, length, attributes),
    set: (client, { key, value }) => shared.map.set(client.document, key, value),
    unset: (client, { key }) => shared.map.remove(client.document, key),
    awareness: (client, { state }) => client.peer.awareness.setLocalState(state),
    stateless: (client, { text }) => client.peer.send(text),
    connect: (client) => client.peer.connect(),
    disconnect: (client) => client.peer.disconnect(),
    destroy: (client, { client: name }) => {
      client.peer.destroy()
      clients.delete(name)
    },
    drop: () => {
      for (const socket of sockets) socket.terminate()
    },
    update: (client) => ({ update: base64(shared.update(client.document)) }),
    state: (client) => ({
      text: shared.text.read(client.document),
      delta: shared.text.delta(client.document),
      map: shared.map.read(client.document),
      vector: shared.vector(client.document),
      synced: client.peer.synced(),
      unsynced: client.peer.unsynced(),
      events: client.events,
      client_id: client.document.clientID,
      awareness: Object.fromEntries(client.peer.awareness.getStates())
    })
  }
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const command = JSON.parse(line)
    try {
      const target = command.do === 'open' ? command : clients.get(command.client)
      if (target === undefined) throw new Error(`no client ${command.client}`)
      say({ id: command.id, ...((await commands[command.do](target, command)) ?? {}) })
    } catch (error) {
      say({ id: command.id, error: String(error?.stack ?? error) })
    }
  }).on('close', () => process.exit(0))
  process.on('unhandledRejection', (error) => say({ event: 'unhandled', client: '', detail: String(error?.stack ?? error) }))
}
