// A visit to a shop, sent with the real SDK, whose package the test puts beside this file.
// usage: node shop.mjs HOST WRITE_KEY; prints what was sent, exits 1 if anything was not delivered.
import { Analytics } from '@segment/analytics-node'

const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ host, writeKey, flushAt: 3, flushInterval: 100, maxRetries: 1, httpRequestTimeout: 5000 })

let failed = false
analytics.on('error', (error) => {
  failed = true
  console.error('not delivered:', error.code, error.reason ?? '')
})

const minute = 60_000
const began = Math.floor(Date.now() / 1000) * 1000 - 50 * minute
const sent = []
const send = (call, after, message) =>
  new Promise((resolve) => {
    const timestamp = new Date(began + after)
    analytics[call]({ ...message, timestamp }, (error, context) => {
      if (error) failed = true
      else sent.push({ id: context.event.messageId, call, at: timestamp.toISOString() })
      resolve()
    })
  })

await Promise.all([
  send('page', 0, {
    anonymousId: 'a-1', name: 'Home', properties: { url: 'https://shop.example/' },
    context: { campaign: { source: 'news', medium: 'email', name: 'spring' } },
  }),
  send('track', minute, { anonymousId: 'a-1', event: 'Product Viewed', properties: { sku: 'boots' } }),
  send('identify', 2 * minute, { anonymousId: 'a-1', userId: 'ann-7', traits: { plan: 'pro' } }),
  send('track', 3 * minute + 250, { anonymousId: 'a-1', userId: 'ann-7', event: 'Order Completed', properties: { revenue: 49.9, currency: 'EUR' } }),
  send('page', 40 * minute, { anonymousId: 'a-1', name: 'Help' }),
  send('track', 41 * minute, { userId: 'ann-7', event: 'Product Used' }),
])
await analytics.closeAndFlush({ timeout: 5000 })
console.log(JSON.stringify(sent))
process.exit(failed ? 1 : 0)
