import { flushBuffer, newTracker, setUserId, trackPageView, trackSelfDescribingEvent, trackStructEvent } from '@snowplow/browser-tracker'
import * as story from './story.js'

const schemas = { 'iglu:com.acme/product_viewed/jsonschema/1-0-0': 'product', 'iglu:com.acme/order_completed/jsonschema/1-0-0': 'order', 'no schema': 'bad' }
const kinds = { pv: 'page', se: 'identify' }

const text = (base64) => new TextDecoder().decode(Uint8Array.from(atob(base64.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0)))
const stepOf = (e) => kinds[e.e] ?? schemas[JSON.parse(e.ue_pr ?? text(e.ue_px)).data.schema]

const tracker = newTracker('shop', story.host, {
  appId: story.writeKey,
  onRequestSuccess: (events) => {
    for (const e of events) story.tell(stepOf(e), e.eid, Number(e.dtm))
  },
  onRequestFailure: () => setTimeout(() => flushBuffer(), 200), // as the visitor's next click would
})
window.visitor = tracker.getDomainUserId()

trackPageView()
trackSelfDescribingEvent({ event: { schema: 'iglu:com.acme/product_viewed/jsonschema/1-0-0', data: story.product } })
setUserId(story.user)
trackStructEvent({ category: 'account', action: 'Signed In', label: 'Zoë' })
trackSelfDescribingEvent({ event: { schema: 'iglu:com.acme/order_completed/jsonschema/1-0-0', data: story.order } })
trackSelfDescribingEvent({ event: { schema: 'no schema', data: { of: story.prefix } } })
