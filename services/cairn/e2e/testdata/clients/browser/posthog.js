import posthog from 'posthog-js'
import * as story from './story.js'

const steps = {
  $pageview: 'page', 'Product Viewed': 'product', $identify: 'identify', 'Order Completed': 'order', $groupidentify: 'group', $create_alias: 'alias', Huge: 'bad',
}

posthog.init(story.writeKey, {
  api_host: story.host,
  bootstrap: { distinctID: story.visitor },
  loaded: (client) => {
    client.on('eventCaptured', (e) => steps[e.event] && story.tell(steps[e.event], e.uuid, e.timestamp))
  },
})
const tell = () => {
  posthog.capture('Product Viewed', story.product)
  posthog.identify(story.user, story.traits)
  posthog.capture('Order Completed', story.order)
  posthog.group('company', 'g-1', { employees: 12 })
  posthog.alias(story.former)
  posthog.capture('Huge', story.huge)
}
// The page view comes by itself.
setTimeout(tell, 100)
