import Analytics from '@rudderstack/rudder-sdk-node'
import * as story from './story.mjs'

const analytics = new Analytics(story.writeKey, { dataPlaneUrl: story.host, flushInterval: 200, logLevel: 'error' })

let failed = false
const { visitor, user, prefix } = story
const send = (seconds, step, call, message) =>
  new Promise((resolve) => {
    const messageId = `${prefix}${step}`
    const timestamp = story.at(seconds)
    analytics[call]({ ...message, messageId, timestamp }, (error) => {
      if (error) failed = true
      else story.tell(step, messageId, timestamp)
      resolve()
    })
  })

const sent = [
  send(0, 'page', 'page', { anonymousId: visitor, name: 'Home', properties: story.page }),
  send(10, 'product', 'track', { anonymousId: visitor, event: 'Product Viewed', properties: story.product }),
  send(20, 'identify', 'identify', { anonymousId: visitor, userId: user, traits: story.traits }),
  send(30, 'order', 'track', { anonymousId: visitor, userId: user, event: 'Order Completed', properties: story.order }),
  send(40, 'group', 'group', { userId: user, groupId: 'g-1', traits: { employees: 12 } }),
  send(50, 'alias', 'alias', { userId: user, previousId: story.former }),
  send(60, 'screen', 'screen', { anonymousId: visitor, userId: user, name: 'Cart' }),
  send(70, 'bad', 'track', { userId: story.nobody, event: 'Nobody' }),
]
await analytics.flush()
await Promise.all(sent)
story.finish(failed)
