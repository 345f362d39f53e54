// Keeps documents openable while the server is away: the scripts of this version and the shells of the
// pages below /w, which are the same for everybody. What an API answers is never kept; the words of a
// document lie in IndexedDB, with its page. The server puts `plait` before this (server/pages/worker.py).

interface Extended extends Event {
  waitUntil(work: Promise<unknown>): void
}

interface Fetched extends Extended {
  request: Request
  respondWith(answer: Promise<Response>): void
}

interface Worker extends EventTarget {
  plait: { folder: string; files: string[]; shells: Record<string, string> }
}

const here = self as unknown as Worker
const { folder, files, shells } = here.plait
const NAME = `plait-pages ${folder}`
const PATIENCE_MS = 4_000

here.addEventListener('install', (event) => (event as Extended).waitUntil(keep()))
here.addEventListener('activate', (event) => (event as Extended).waitUntil(dropOthers()))
here.addEventListener('fetch', (event) => {
  const { request } = event as Fetched
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== location.origin) return
  const shell = Object.keys(shells).find((pattern) => new RegExp(pattern).test(pathname))
  if (request.mode === 'navigate' && shell) (event as Fetched).respondWith(fresh(request, shells[shell]!))
  else if (pathname.startsWith(`${folder}/`)) (event as Fetched).respondWith(kept(request))
})

/** All of one version, or nothing: a shell that names other scripts is from a server that changed meanwhile. */
async function keep(): Promise<void> {
  const cache = await caches.open(NAME)
  await cache.addAll(files.map((name) => `${folder}/${name}`))
  for (const shell of Object.values(shells)) {
    const answer = await fetch(shell, { cache: 'no-store' })
    const text = await answer.clone().text()
    if (!answer.ok || !text.includes(`${folder}/pages.js`)) throw new Error('the server changed meanwhile')
    await cache.put(shell, answer)
  }
}

async function dropOthers(): Promise<void> {
  for (const name of await caches.keys()) if (name !== NAME) await caches.delete(name)
}

/** A page from the server; its shell where the server is away, fails, or lets us wait. */
async function fresh(request: Request, shell: string): Promise<Response> {
  const ours = caches.match(shell, { cacheName: NAME })
  const theirs = fetch(request)
  const slow = new Promise<undefined>((done) => setTimeout(done, PATIENCE_MS))
  const answer = await Promise.race([theirs, slow]).catch(() => undefined)
  if (answer && answer.status < 500) return answer
  return (await ours) ?? theirs
}

async function kept(request: Request): Promise<Response> {
  return (await caches.match(request, { cacheName: NAME })) ?? fetch(request)
}
