"""The story that every client tells: a visitor comes by a campaign's mail, looks at a product, says who they are, buys.

usage of the scripts beside this file: python NAME.py HOST WRITE_KEY PREFIX
"""

import json
import os
import sys
import time
from datetime import datetime, timedelta, timezone

host, write_key, prefix = sys.argv[1:4]

visitor = prefix + "a"
user = prefix + "u"
former = prefix + "old"

_began = datetime.fromtimestamp(int(time.time()) - 600, timezone.utc)


def at(seconds):
    """The moment so many seconds into the story."""
    return _began + timedelta(seconds=seconds)


url = "https://shop.example/gr%C3%BC%C3%9Fe?utm_source=news&utm_medium=email&utm_campaign=fr%C3%BChling"
title = "Grüße 日本"
referrer = "https://www.google.com/"
page = {"url": url, "path": "/gr%C3%BC%C3%9Fe", "title": title, "referrer": referrer}
product = {"sku": "boots", "note": "Größe 42 🥾"}
order = {"order_id": prefix + "1", "revenue": 49.9, "currency": "EUR", "note": '"für dich"'}
traits = {"plan": "pro", "note": "Zoë"}

# An identifier that every client lets pass and that names nobody.
nobody = "null"

_told = []
_failed = []


def tell(step, event_id, moment):
    """Notes an event that the client says is delivered."""
    if isinstance(moment, datetime):
        moment = round(moment.timestamp() * 1000)
    _told.append({"step": step, "id": str(event_id), "at": int(moment)})


def fail(error):
    """Notes that something was not delivered."""
    _failed.append(error)
    print("not delivered:", error, file=sys.stderr)


def finish():
    """Prints what was told and ends the process, which must not wait for threads of clients."""
    print(json.dumps({"told": _told}), flush=True)
    os._exit(1 if _failed else 0)
