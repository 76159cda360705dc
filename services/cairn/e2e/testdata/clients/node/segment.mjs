import { Analytics } from '@segment/analytics-node'
import * as story from './story.mjs'

const analytics = new Analytics({ host: story.host, writeKey: story.writeKey, flushInterval: 200 })

let failed = false
analytics.on('error', (error) => {
  failed = true
  console.error('not delivered:', error.code, error.reason ?? '')
})

const { visitor, user } = story
const send = (seconds, step, call, message) =>
  new Promise((resolve) => {
    analytics[call]({ ...message, timestamp: story.at(seconds) }, (error, context) => {
      if (!error) story.tell(step, context.event.messageId, context.event.timestamp)
      resolve()
    })
  })

await Promise.all([
  send(0, 'page', 'page', { anonymousId: visitor, name: 'Home', properties: story.page }),
  send(10, 'product', 'track', { anonymousId: visitor, event: 'Product Viewed', properties: story.product }),
  send(20, 'identify', 'identify', { anonymousId: visitor, userId: user, traits: story.traits }),
  send(30, 'order', 'track', { anonymousId: visitor, userId: user, event: 'Order Completed', properties: story.order }),
  send(40, 'group', 'group', { userId: user, groupId: 'g-1', traits: { employees: 12 } }),
  send(50, 'alias', 'alias', { userId: user, previousId: story.former }),
  send(60, 'screen', 'screen', { anonymousId: visitor, userId: user, name: 'Cart' }),
  send(70, 'bad', 'track', { userId: story.nobody, event: 'Nobody' }),
])
await analytics.closeAndFlush({ timeout: 30_000 })
story.finish(failed)
