import { buildEcommerceTransaction, buildPageView, buildScreenView, buildSelfDescribingEvent, buildStructEvent, newTracker } from '@snowplow/node-tracker'
import * as story from './story.mjs'

const url = new URL(story.host)
const steps = new Map() // by event id
const tracker = newTracker({ namespace: 'shop', appId: story.writeKey, encodeBase64: true }, {
  endpoint: url.hostname, port: Number(url.port), protocol: 'http', bufferSize: 10,
  onRequestSuccess: (events) => {
    for (const e of events) {
      story.tell(steps.get(e.eid), e.eid, Number(e.dtm))
      steps.delete(e.eid)
    }
    if (steps.size === 0) story.finish(false)
  },
  onRequestFailure: ({ willRetry, message }) => {
    if (willRetry) {
      setTimeout(() => tracker.flush(), 200) // as a server's next event would
      return
    }
    console.error('not delivered:', message)
    story.finish(true)
  },
})

const send = (seconds, step, event) => {
  const sent = tracker.track(event, [], { type: 'dtm', value: story.at(seconds).getTime() })
  steps.set(sent.eid, step)
}
const acme = (name, data) => buildSelfDescribingEvent({ event: { schema: `iglu:com.acme/${name}/jsonschema/1-0-0`, data } })

tracker.setDomainUserId(story.visitor)
send(0, 'page', buildPageView({ pageUrl: story.page.url, pageTitle: story.page.title, referrer: story.page.referrer }))
send(10, 'product', acme('product_viewed', story.product))
tracker.setUserId(story.user)
send(20, 'identify', buildStructEvent({ category: 'account', action: 'Signed In', label: 'Zoë' }))
send(30, 'order', buildEcommerceTransaction({ orderId: story.order.order_id, total: 49.9, currency: 'EUR' }))
send(60, 'screen', buildScreenView({ name: 'Cart', id: story.prefix + '2' }))
send(70, 'bad', buildSelfDescribingEvent({ event: { schema: 'no schema', data: { of: story.prefix } } }))
await tracker.flush()
