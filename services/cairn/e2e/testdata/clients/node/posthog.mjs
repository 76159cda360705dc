import { PostHog } from 'posthog-node'
import * as story from './story.mjs'

const posthog = new PostHog(story.writeKey, { host: story.host, flushInterval: 200 })

let failed = false
posthog.on('error', (error) => {
  failed = true
  console.error('not delivered:', error)
})

const { visitor, user, page } = story
// What the SDK has delivered it names by its own ids.
const steps = {
  $pageview: 'page', 'Product Viewed': 'product', $identify: 'identify', 'Order Completed': 'order', $groupidentify: 'group', $create_alias: 'alias', Nobody: 'bad',
}
posthog.on('flush', (messages) => {
  for (const m of messages) story.tell(steps[m.event], m.uuid, m.timestamp)
})

const anonymous = { $process_person_profile: false } // as the docs say of events of visitors
posthog.capture({
  distinctId: visitor, event: '$pageview', timestamp: story.at(0),
  properties: { ...anonymous, $current_url: page.url, $referrer: page.referrer, title: page.title },
})
posthog.capture({ distinctId: visitor, event: 'Product Viewed', timestamp: story.at(10), properties: { ...anonymous, ...story.product } })
posthog.identify({ distinctId: user, properties: story.traits })
posthog.alias({ distinctId: user, alias: visitor })
posthog.capture({ distinctId: user, event: 'Order Completed', timestamp: story.at(30), properties: story.order })
posthog.groupIdentify({ groupType: 'company', groupKey: 'g-1', distinctId: user, properties: { employees: 12 } })
posthog.capture({ distinctId: story.nobody, event: 'Nobody', timestamp: story.at(70) })
await posthog.shutdown(30_000)
story.finish(failed)
