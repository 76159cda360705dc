from rudderstack.analytics.client import Client

import story
from story import at, user, visitor

failed = []
client = Client(story.write_key, host=story.host, upload_interval=0.2, on_error=lambda error, batch: failed.append(error))
sent = []


def send(seconds, step, call, **message):
    accepted, _ = call(message_id=story.prefix + step, timestamp=at(seconds), **message)
    if accepted:
        sent.append((step, story.prefix + step, at(seconds)))


send(0, "page", client.page, anonymous_id=visitor, name="Home", properties=story.page)
send(10, "product", client.track, anonymous_id=visitor, event="Product Viewed", properties=story.product)
send(20, "identify", client.identify, anonymous_id=visitor, user_id=user, traits=story.traits)
send(30, "order", client.track, anonymous_id=visitor, user_id=user, event="Order Completed", properties=story.order)
send(40, "group", client.group, user_id=user, group_id="g-1", traits={"employees": 12})
send(50, "alias", client.alias, user_id=user, previous_id=story.former)
send(60, "screen", client.screen, anonymous_id=visitor, user_id=user, name="Cart")
send(70, "bad", client.track, user_id=story.nobody, event="Nobody")
client.flush()

# The client tells of failures only: what it has not told of is delivered.
for error in failed:
    story.fail(error)
for event in [] if failed else sent:
    story.tell(*event)
story.finish()
