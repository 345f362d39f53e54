// What a hostile page tries against the server that shows it; MAIN is that server's own origin.
(async () => {
  const main = '@MAIN@'
  const xhtml = 'http://www.w3.org/1999/xhtml'
  const found = {}
  const attempt = async (name, what) => {
    const silence = new Promise(done => setTimeout(() => done('no: silence'), 3000))
    try {
      found[name] = String(await Promise.race([what(), silence])).slice(0, 200)
    } catch (error) {
      found[name] = `no: ${error.name}`
    }
  }
  const loaded = (tag, src, read) => new Promise((done, fail) => {
    const made = document.createElementNS(xhtml, tag)
    made.onload = () => { try { done(read(made)) } catch (error) { fail(error) } }
    made.onerror = () => fail(new Error('refused'))
    made.src = src
    document.documentElement.append(made)
  })
  const ask = (method, mode) =>
    fetch(`${main}/api/session`, { method, mode, credentials: 'include' }).then(answer => answer.text())

  await attempt('cookie read', () => document.cookie)
  await attempt('cookie set', () => {
    document.cookie = 'owned=1; Domain=plait.example; Path=/'
    return document.cookie
  })
  await attempt('storage', () => localStorage.getItem('theme'))
  await attempt('fetch', () => ask('GET', 'cors'))
  await attempt('blind fetch', () => ask('POST', 'no-cors'))
  await attempt('neighbour', () => fetch('/@ada/notes').then(answer => answer.text()))
  await attempt('xhr', () => new Promise((done, fail) => {
    const request = new XMLHttpRequest()
    request.open('GET', `${main}/api/session`)
    request.withCredentials = true
    request.onload = () => done(request.responseText)
    request.onerror = () => fail(new Error('refused'))
    request.send()
  }))
  await attempt('socket', () => new Promise((done, fail) => {
    const line = new WebSocket(`${main.replace('http', 'ws')}/ws/x`)
    line.onopen = () => done('open')
    line.onerror = () => fail(new Error('refused'))
  }))
  await attempt('script', () => loaded('script', `${main}/api/session`, () => 'ran'))
  await attempt('frame', () => loaded('iframe', `${main}/`, it => it.contentWindow.document.body.innerHTML))
  await attempt('worker', () => navigator.serviceWorker.register('/@ada/evil/worker.js').then(() => 'there'))
  document.documentElement.setAttribute('data-found', JSON.stringify(found))
})()
