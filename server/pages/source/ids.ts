// Names that are made here: ULIDs of blocks, base58 of keys, a calm name for who has none.

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

export function random(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length))
}

/** A ULID: 48 bits of time, 80 of chance. */
export function ulid(): string {
  let time = Date.now()
  let text = ''
  for (let place = 0; place < 10; place++) {
    text = CROCKFORD[time % 32]! + text
    time = Math.floor(time / 32)
  }
  for (const byte of random(16)) text += CROCKFORD[byte % 32]
  return text
}

export function base58(bytes: Uint8Array): string {
  let number = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  let text = ''
  for (; number; number /= 58n) text = BASE58[Number(number % 58n)] + text
  const zeros = bytes.findIndex((byte) => byte !== 0)
  return '1'.repeat(zeros < 0 ? bytes.length : zeros) + text
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (one) => one.charCodeAt(0))
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

const CALM = ['Quiet', 'Early', 'Gentle', 'Northern', 'Patient', 'Bright', 'Mossy', 'Amber', 'Distant', 'Brave']
const BIRDS = ['Heron', 'Wren', 'Owl', 'Finch', 'Plover', 'Swift', 'Curlew', 'Robin', 'Egret', 'Lark', 'Tern', 'Jay']

export function numberOf(text: string): number {
  let number = 7
  for (const one of text) number = (number * 31 + one.codePointAt(0)!) >>> 0
  return number
}

/** A name for somebody who gave none: the same for the same key. */
export function calmName(seed: string): string {
  const number = numberOf(seed)
  return `${CALM[number % CALM.length]} ${BIRDS[(number >>> 8) % BIRDS.length]}`
}
