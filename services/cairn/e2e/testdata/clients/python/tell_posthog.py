import uuid

from posthog import Posthog

import story
from story import at, user, visitor

failed = []
client = Posthog(story.write_key, host=story.host, flush_interval=0.2, on_error=lambda error, batch: failed.append(error))
sent = []
anonymous = {"$process_person_profile": False}  # as the docs say of events of visitors


def send(seconds, step, call, **event):
    event_id = call(uuid=str(uuid.uuid4()), timestamp=at(seconds), **event)
    if event_id:
        sent.append((step, event_id, at(seconds)))


send(0, "page", client.capture, distinct_id=visitor, event="$pageview",
     properties={**anonymous, "$current_url": story.url, "$referrer": story.referrer, "title": story.title})
send(10, "product", client.capture, distinct_id=visitor, event="Product Viewed", properties={**anonymous, **story.product})
send(20, "identify", client.set, distinct_id=user, properties=story.traits)
send(25, "alias", client.alias, previous_id=visitor, distinct_id=user)
send(30, "order", client.capture, distinct_id=user, event="Order Completed", properties=story.order)
send(40, "group", client.group_identify, group_type="company", group_key="g-1", distinct_id=user, properties={"employees": 12})
send(70, "bad", client.capture, distinct_id=story.nobody, event="Nobody")
client.flush()

# The client tells of failures only: what it has not told of is delivered.
for error in failed:
    story.fail(error)
for event in [] if failed else sent:
    story.tell(*event)
story.finish()
