// One document on the server's /ws, by the protocol of Hocuspocus, with a count that is honest: an
// edit counts as saved when the server acknowledged it, which it does after its commit.

import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { ApiError } from './api'
import { SignedOut } from './session'

export type Link = 'connecting' | 'online' | 'offline' | 'denied'

const SYNC = 0, AWARENESS = 1, AUTH = 2, STATELESS = 5, CLOSE = 7, SYNC_STATUS = 8
const STEP1 = 0, STEP2 = 1, UPDATE = 2
const SILENCE_MS = 40_000
const WAIT_MS_MAX = 8_000

export interface LineEvents {
  /** Something that the page shows of the line changed. */
  changed: () => void
  /** The first time that all which the server has is here. */
  synced: () => void
  stateless?: (said: Record<string, unknown>) => void
}

export class Line {
  readonly awareness: Awareness
  link: Link = 'connecting'
  reason = ''
  canWrite = true
  isSynced = false
  /** Edits made here that the server refused. */
  refused = 0
  /** How many unsaved edits this browser has written down. */
  keptHere = 0

  private socket: WebSocket | undefined
  private kept = 0
  private sent: number[] = []
  private isOpen = false
  private tries = 0
  private heardAt = 0
  private askedFreshToken = false
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly watch: ReturnType<typeof setInterval>
  private readonly said: string[] = []

  constructor(
    private readonly name: string,
    readonly doc: Y.Doc,
    private readonly token: () => Promise<string>,
    private readonly events: LineEvents,
    private readonly local: unknown[] = [],
  ) {
    this.awareness = new Awareness(doc)
    doc.on('update', this.onUpdate)
    this.awareness.on('update', this.onAwareness)
    addEventListener('online', this.onOnline)
    addEventListener('offline', this.onOffline)
    addEventListener('pagehide', this.onPageHide)
    addEventListener('pageshow', this.onPageShow)
    this.watch = setInterval(() => this.lookForSilence(), 5_000)
  }

  /** Edits made here that the server has not acknowledged. */
  get unsaved(): number {
    return this.kept + this.sent.reduce((sum, edits) => sum + edits, 0)
  }

  /** Edits that an earlier tab made and could not send: they are in the document already. */
  remember(edits: number): void {
    // With the line open they went with what was sent last, at the latest, and count with that.
    if (!this.isOpen) this.kept += edits
    else if (this.sent.length) this.sent[this.sent.length - 1]! += edits
    this.events.changed()
  }

  /** Ask the server for something beside the document; sent once it is connected, and again after. */
  ask(said: Record<string, unknown>): void {
    const text = JSON.stringify(said)
    this.said.push(text)
    if (this.isOpen) this.sendStateless(text)
  }

  /** Begin; or try again now, whatever it waits for. */
  connect(): void {
    clearTimeout(this.timer)
    if (this.socket || this.link === 'denied') return
    this.setLink(navigator.onLine ? 'connecting' : 'offline')
    const socket = (this.socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws`))
    socket.binaryType = 'arraybuffer'
    this.heardAt = Date.now()
    socket.onopen = () => void this.greet(socket)
    socket.onmessage = (message) => {
      if (socket === this.socket) this.receive(new Uint8Array(message.data as ArrayBuffer))
    }
    socket.onclose = () => this.lost(socket)
  }

  destroy(): void {
    clearTimeout(this.timer)
    clearInterval(this.watch)
    removeEventListener('online', this.onOnline)
    removeEventListener('offline', this.onOffline)
    removeEventListener('pagehide', this.onPageHide)
    removeEventListener('pageshow', this.onPageShow)
    this.doc.off('update', this.onUpdate)
    removeAwarenessStates(this.awareness, [this.doc.clientID], 'left')
    this.link = 'denied'
    this.socket?.close()
  }

  // -- what goes out ---------------------------------------------------------------------

  private async greet(socket: WebSocket): Promise<void> {
    let token: string
    try {
      token = await this.token()
    } catch (error) {
      const isOut = error instanceof ApiError && (error.status === 401 || error.status === 403)
      if (error instanceof SignedOut || isOut) this.deny('signed-out')
      socket.close()
      return
    }
    if (socket !== this.socket) return
    this.send(AUTH, (encoder) => {
      encoding.writeVarUint(encoder, 0)
      encoding.writeVarString(encoder, token)
    })
    this.send(SYNC, (encoder) => {
      encoding.writeVarUint(encoder, STEP1)
      encoding.writeVarUint8Array(encoder, Y.encodeStateVector(this.doc))
    })
    if (this.awareness.getLocalState()) this.sendAwareness([this.doc.clientID])
  }

  private readonly onUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin === this) return
    const own = this.local.includes(origin) ? 0 : 1
    if (this.isOpen) {
      this.sent.push(own)
      this.send(SYNC, (encoder) => {
        encoding.writeVarUint(encoder, UPDATE)
        encoding.writeVarUint8Array(encoder, update)
      })
    } else this.kept += own
    this.events.changed()
  }

  private readonly onAwareness = ({ added, updated, removed }: Record<string, number[]>, origin: unknown): void => {
    if (origin !== this && this.isOpen) this.sendAwareness([...added!, ...updated!, ...removed!])
    this.events.changed()
  }

  private sendAwareness(clients: number[]): void {
    const known = clients.filter((client) => this.awareness.meta.has(client))
    if (!known.length) return
    this.send(AWARENESS, (encoder) =>
      encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(this.awareness, known)),
    )
  }

  private sendStateless(text: string): void {
    this.send(STATELESS, (encoder) => encoding.writeVarString(encoder, text))
  }

  private send(type: number, write: (encoder: encoding.Encoder) => void): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return
    const encoder = encoding.createEncoder()
    encoding.writeVarString(encoder, this.name)
    encoding.writeVarUint(encoder, type)
    write(encoder)
    this.socket.send(encoding.toUint8Array(encoder) as Uint8Array<ArrayBuffer>)
  }

  // -- what comes in ---------------------------------------------------------------------

  private receive(frame: Uint8Array): void {
    this.heardAt = Date.now()
    const decoder = decoding.createDecoder(frame)
    if (frame.length < 2) return
    decoding.readVarString(decoder)
    const type = decoding.readVarUint(decoder)
    if (type === SYNC) this.onSync(decoder)
    else if (type === AWARENESS) applyAwarenessUpdate(this.awareness, decoding.readVarUint8Array(decoder), this)
    else if (type === AUTH) this.onAuth(decoder)
    else if (type === SYNC_STATUS) this.onStatus(decoding.readVarUint(decoder))
    else if (type === CLOSE) this.onRefused(decoding.readVarString(decoder))
    else if (type === STATELESS) this.onStateless(decoding.readVarString(decoder))
  }

  private onAuth(decoder: decoding.Decoder): void {
    const what = decoding.readVarUint(decoder)
    if (what === 1) this.onRefused(decoding.readVarString(decoder))
    else if (what === 2) {
      this.canWrite = decoding.readVarString(decoder) !== 'readonly'
      this.events.changed()
    } else if (what === 0) {
      void this.token().then((token) =>
        this.send(AUTH, (encoder) => {
          encoding.writeVarUint(encoder, 0)
          encoding.writeVarString(encoder, token)
        }),
      )
    }
  }

  private onSync(decoder: decoding.Decoder): void {
    const kind = decoding.readVarUint(decoder)
    const bytes = decoding.readVarUint8Array(decoder)
    if (kind === STEP1) {
      // Everything that was made while there was no line goes in one piece, and counts with it.
      this.sent.push(this.kept)
      this.kept = 0
      this.isOpen = true
      this.send(SYNC, (encoder) => {
        encoding.writeVarUint(encoder, STEP2)
        encoding.writeVarUint8Array(encoder, Y.encodeStateAsUpdate(this.doc, bytes))
      })
      for (const text of this.said) this.sendStateless(text)
      this.tries = 0
      this.askedFreshToken = false
      this.setLink('online')
      return
    }
    Y.applyUpdate(this.doc, bytes, this)
    if (kind === STEP2 && !this.isSynced) {
      this.isSynced = true
      this.events.synced()
      this.events.changed()
    }
  }

  private onStatus(status: number): void {
    const edits = this.sent.shift() ?? 0
    if (status !== 1 && edits) this.refused += edits
    this.events.changed()
  }

  private onStateless(text: string): void {
    try {
      this.events.stateless?.(JSON.parse(text))
    } catch {
      // Somebody else's message, in a form of theirs.
    }
  }

  private onRefused(reason: string): void {
    const isToken = /token|expired/.test(reason)
    if (isToken && !this.askedFreshToken) this.askedFreshToken = true
    else if (!/unavailable|busy|restart|slow|reset/.test(reason)) this.deny(reason)
    this.socket?.close()
  }

  private deny(reason: string): void {
    this.reason = reason
    this.setLink('denied')
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket) return
    this.socket = undefined
    this.isOpen = false
    this.kept = this.unsaved
    this.sent = []
    const others = [...this.awareness.getStates().keys()].filter((client) => client !== this.doc.clientID)
    removeAwarenessStates(this.awareness, others, this)
    if (this.link === 'denied') return
    this.setLink('offline')
    const wait = Math.min(WAIT_MS_MAX, 400 * 2 ** this.tries) * (0.75 + Math.random() / 2)
    this.tries += 1
    this.timer = setTimeout(() => this.connect(), wait)
  }

  private lookForSilence(): void {
    if (this.socket && Date.now() - this.heardAt > SILENCE_MS) this.drop()
  }

  private drop(): void {
    const socket = this.socket
    if (!socket) return
    socket.onclose = null
    socket.close()
    this.lost(socket)
  }

  private readonly onOnline = (): void => {
    this.tries = 0
    this.connect()
  }

  private readonly onOffline = (): void => this.drop()

  private readonly onPageHide = (): void => {
    removeAwarenessStates(this.awareness, [this.doc.clientID], 'left')
  }

  private readonly onPageShow = (event: PageTransitionEvent): void => {
    if (event.persisted) location.reload()
  }

  private setLink(link: Link): void {
    this.link = link
    this.events.changed()
  }
}
