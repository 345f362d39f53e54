// The Ed25519 key of this browser. Where WebCrypto has it the private part cannot be read by any
// script, ours included; on plain http outside this machine a JavaScript implementation is used and
// the seed is kept. Both lie in IndexedDB, never in local storage.

import { base58, fromBase64, random } from './ids'

export interface OwnKey {
  public: string
  private: CryptoKey | Uint8Array<ArrayBuffer>
  madeAt: number
}

const DATABASE = 'plait-key'
const STORE = 'keys'
const OWN = 'own'

// What stands before the 32 bytes of a seed in PKCS #8 (RFC 8410).
const PKCS8 = Uint8Array.from([48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32])

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(DATABASE, 1)
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE)
    asked.onsuccess = () => resolve(asked.result)
    asked.onerror = () => reject(new Error('This browser lets no page keep a key (private window?).'))
  })
}

async function inStore<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open()
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode, { durability: 'strict' })
      const asked = work(transaction.objectStore(STORE))
      transaction.oncomplete = () => resolve(asked.result)
      transaction.onabort = () => reject(transaction.error ?? new Error('The key could not be kept.'))
    })
  } finally {
    database.close()
  }
}

export function ownKey(): Promise<OwnKey | undefined> {
  return inStore<OwnKey | undefined>('readonly', (store) => store.get(OWN))
}

export async function forgetKey(): Promise<void> {
  await inStore('readwrite', (store) => store.delete(OWN))
}

export async function keep(key: OwnKey): Promise<void> {
  await inStore('readwrite', (store) => store.put(key, OWN))
  void navigator.storage?.persist?.()
}

/** A key from its seed, such that scripts can use the private part and not read it, if possible. */
export async function keyOf(seed: Uint8Array): Promise<OwnKey> {
  const { ed25519 } = await import('@noble/curves/ed25519')
  const made = { public: base58(ed25519.getPublicKey(seed)), madeAt: Date.now() }
  try {
    const pkcs8 = new Uint8Array([...PKCS8, ...seed])
    return { ...made, private: await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'Ed25519' }, false, ['sign']) }
  } catch {
    return { ...made, private: Uint8Array.from(seed) }
  }
}

export function newSeed(): Uint8Array<ArrayBuffer> {
  return random(32)
}

export async function sign(key: OwnKey, text: string): Promise<string> {
  const message = new TextEncoder().encode(text)
  if (key.private instanceof Uint8Array) {
    const { ed25519 } = await import('@noble/curves/ed25519')
    return base58(ed25519.sign(message, key.private))
  }
  return base58(new Uint8Array(await crypto.subtle.sign({ name: 'Ed25519' }, key.private, message)))
}

/** The seed as 24 words that people can write down (BIP 39, English). */
export async function wordsOf(seed: Uint8Array): Promise<string> {
  const [{ entropyToMnemonic }, { wordlist }] = await words()
  return entropyToMnemonic(seed, wordlist)
}

/** A seed from words, from the line that scripts/token keeps in a file, or from its hexadecimal. */
export async function seedOf(text: string): Promise<Uint8Array> {
  const line = text
    .split('\n')
    .map((one) => one.trim())
    .filter((one) => one && !one.startsWith('#'))
    .join(' ')
  if (/^[0-9a-f]{64}$/i.test(line)) return Uint8Array.from(line.match(/../g)!, (pair) => parseInt(pair, 16))
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(line)) return fromBase64(line)
  const [{ mnemonicToEntropy }, { wordlist }] = await words()
  const given = line.toLowerCase().split(/[\s,]+/).filter((word) => !/^\d+\.?$/.test(word))
  const unknown = given.filter((word) => !wordlist.includes(word))
  if (given.length !== 24) throw new Error(`A recovery key has 24 words; these are ${given.length}.`)
  if (unknown.length) throw new Error(`Not a word of a recovery key: ${unknown.join(', ')}.`)
  try {
    return mnemonicToEntropy(given.join(' '), wordlist)
  } catch {
    throw new Error('These words do not belong together: one of them is wrong, or their order.')
  }
}

function words() {
  return Promise.all([import('@scure/bip39'), import('@scure/bip39/wordlists/english')])
}
