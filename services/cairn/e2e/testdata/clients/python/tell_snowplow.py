import threading
import uuid
from urllib.parse import urlsplit

from snowplow_tracker import Emitter, PageView, ScreenView, SelfDescribing, SelfDescribingJson, StructuredEvent, Subject, Tracker

import story

url = urlsplit(story.host)
steps = {}  # by event id
done = threading.Event()


def delivered(events):
    for event in events:
        story.tell(steps.pop(event["eid"]), event["eid"], event.get("ttm") or event["dtm"])
    if not steps:
        done.set()


emitter = Emitter(url.hostname, protocol="http", port=url.port, batch_size=100, on_success=delivered)
subject = Subject().set_domain_user_id(story.visitor)
tracker = Tracker("shop", emitter, subject=subject, app_id=story.write_key)


def send(step, event, seconds=None):
    if seconds is not None:
        event.true_timestamp = story.at(seconds).timestamp() * 1000
    steps[tracker.track(event)] = step


def acme(name, data):
    return SelfDescribing(SelfDescribingJson(f"iglu:com.acme/{name}/jsonschema/1-0-0", data))


send("page", PageView(story.url, story.title, story.referrer), seconds=0)
send("product", acme("product_viewed", story.product), seconds=10)
subject.set_user_id(story.user)
send("identify", StructuredEvent("account", "Signed In", label="Zoë"), seconds=20)
send("order", acme("order_completed", story.order))  # now, by the machine's clock
send("screen", ScreenView(id_=str(uuid.uuid4()), name="Cart"))
send("bad", SelfDescribing(SelfDescribingJson("no schema", {"of": story.prefix})))
tracker.flush()
if not done.wait(60):
    story.fail("snowplow: not all events were sent within a minute")
story.finish()
