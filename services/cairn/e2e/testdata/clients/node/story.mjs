// The story that every client tells: a visitor comes by a campaign's mail, looks at a product, says who they are, buys.
// usage of the scripts beside this file: node NAME.mjs HOST WRITE_KEY PREFIX [ATTEMPTS]
export const [host, writeKey, prefix] = process.argv.slice(2)

export const visitor = prefix + 'a'
export const user = prefix + 'u'
export const former = prefix + 'old'

const began = Math.floor(Date.now() / 1000) * 1000 - 600_000

/** at is the moment so many seconds into the story. */
export const at = (seconds) => new Date(began + seconds * 1000)

export const page = {
  url: 'https://shop.example/gr%C3%BC%C3%9Fe?utm_source=news&utm_medium=email&utm_campaign=fr%C3%BChling',
  path: '/gr%C3%BC%C3%9Fe',
  title: 'Grüße 日本',
  referrer: 'https://www.google.com/',
}
export const product = { sku: 'boots', note: 'Größe 42 🥾' }
export const order = { order_id: prefix + '1', revenue: 49.9, currency: 'EUR', note: '"für dich"' }
export const traits = { plan: 'pro', note: 'Zoë' }

/** An identifier that every client lets pass and that names nobody. */
export const nobody = 'null'

const told = []

/** tell notes an event that the client says is delivered. */
export const tell = (step, id, time) => told.push({ step, id, at: new Date(time).getTime() })

/** finish prints what was told and ends the process. */
export function finish(failed) {
  console.log(JSON.stringify({ told }))
  process.exit(failed ? 1 : 0)
}
