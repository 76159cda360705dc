// Sends one of each Segment call with the real SDK.
// usage: node send.mjs HOST WRITE_KEY; exits 1 if a call was not delivered.
import { Analytics } from '@segment/analytics-node'

const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ host, writeKey, flushAt: 4, flushInterval: 200, maxRetries: 1, httpRequestTimeout: 5000 })

let failed = false
analytics.on('error', (error) => {
  failed = true
  console.error('not delivered:', error.code, error.reason ?? '')
})

const sent = []
const send = (call, message) =>
  new Promise((resolve) => {
    analytics[call](message, (error, context) => {
      if (error) failed = true
      else sent.push(context.event.messageId)
      resolve()
    })
  })

const calls = [
  send('identify', { userId: 'ann-7', traits: { plan: 'pro', seats: 3 } }),
  send('track', {
    anonymousId: 'a-1',
    event: 'Order Completed',
    timestamp: new Date('2026-11-23T10:00:00.250Z'),
    properties: { revenue: 49.9, quantity: 2, currency: 'EUR', note: 'grün "x"' },
    context: { ip: '203.0.113.77', userAgent: 'Mozilla/5.0', page: { url: 'https://shop.example/thanks' } },
  }),
  send('page', { anonymousId: 'a-1', userId: 'ann-7', name: 'Home', properties: { url: 'https://shop.example/' } }),
  send('screen', { anonymousId: 'a-2', name: 'Cart' }),
  send('group', { userId: 'ann-7', groupId: 'g-1', traits: { employees: 12 } }),
  send('alias', { userId: 'ann-7', previousId: 'ann-old' }),
]
await Promise.all(calls)
await analytics.closeAndFlush({ timeout: 5000 })
console.log(JSON.stringify(sent))
process.exit(failed ? 1 : 0)
