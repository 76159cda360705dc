import { AnalyticsBrowser } from '@segment/analytics-next'
import * as story from './story.js'

const analytics = AnalyticsBrowser.load({ writeKey: story.writeKey, cdnURL: story.host })

const send = async (step, call, ...args) => {
  const { event } = await analytics[call](...args)
  story.tell(step, event.messageId, event.timestamp)
}

await analytics.setAnonymousId(story.visitor)
await send('page', 'page', 'Home')
await send('product', 'track', 'Product Viewed', story.product)
await send('identify', 'identify', story.user, story.traits)
await send('order', 'track', 'Order Completed', story.order)
await send('group', 'group', 'g-1', { employees: 12 })
await send('alias', 'alias', story.user, story.former)
await send('bad', 'track', 'Huge', story.huge)
