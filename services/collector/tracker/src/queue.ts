// The way to the collector. Events wait in localStorage until the collector has
// answered, so that they outlive the page.
//
// Each page has an entry of its own there, which no other page writes: two tabs
// never overwrite each other. The entry says when its page last gave a sign of
// life; a page that is left sets that to 0. Entries of pages without one are
// adopted by another page. A page that comes back looks whether that happened.
import { listen, stored, storedNames, uuid } from "./browser";
import { options } from "./options";
import { granted } from "./emit";

const enum Max {
  events = 500, // that wait; older ones give way
  size = 1e6, // characters of these
  age = 7 * 864e5, // ms; older ones are dropped
  batch = 20_000, // characters: a browser sends at most 64 KiB when a page is left
  wait = 3e5, // ms between attempts
  answer = 3e4, // ms until an answer
  beat = 3e4, // ms between signs of life; timers of hidden tabs may run once a minute only
  lease = 15e4, // ms without one
}

const prefix = "cairn.queue.";
const mine = prefix + uuid();

let items: string[] = []; // JSON, oldest first; in localStorage too, as long as it takes them
let flying: string[] = []; // those of a request whose answer is awaited
let written: string | null = null; // our entry
let left = false; // the page is left, it may come back
let timer: number | undefined;
let failures = 0; // in a row
let notBefore = 0; // the collector said when to come back

// put takes an event's JSON.
export const put = (item: string) => {
  if (item.length > Max.batch) return console.warn("cairn: too large");
  check();
  items = bounded([...items, item]);
  save();
  later(+(options.interval ?? 1e3));
};

// bounded is the newest events that may wait.
const bounded = (list: string[]) => {
  while (list.length > Max.events || list.join().length > Max.size) list.shift();
  return list;
};

const recent = (item: string) => Date.now() - Date.parse(JSON.parse(item).timestamp) < Max.age;

// check forgets what another page has adopted meanwhile, or has dropped because
// the visitor denies consent there.
const check = () => {
  if (stored(mine) !== written) items = [];
};

const save = () => {
  written = stored(mine, items[0] ? JSON.stringify([left ? 0 : Date.now(), items]) : null);
};

const later = (ms: number) => {
  timer ??= setTimeout(() => {
    timer = undefined;
    void flush();
  }, Math.max(ms, notBefore - Date.now()));
};

const without = (batch: string[]) => items.filter((i) => !batch.includes(i));

// batchOf is the first events that fit into one request.
const batchOf = (list: string[]) => {
  let size = 0;
  return list.filter((i) => (size += i.length) <= Max.batch);
};

const body = (batch: string[]) =>
  JSON.stringify({
    writeKey: options.key,
    sentAt: new Date(),
    context: {
      library: { name: "cairn.js", version: VERSION },
      locale: navigator.language,
      screen: { width: screen.width, height: screen.height },
    },
  }).slice(0, -1) + `,"batch":[${batch}]}`;

// flush sends what waits, one request at a time. The body is text/plain, which
// needs no preflight.
const flush = async () => {
  check();
  if (flying[0] || !items[0]) return;
  flying = batchOf(items);
  let status = 500;
  let after = 0;
  try {
    const answer = await fetch(options.host!, {
      method: "POST",
      body: body(flying),
      keepalive: true,
      signal: AbortSignal.timeout?.(Max.answer),
    } as RequestInit);
    status = answer.status;
    after = +answer.headers.get("Retry-After")! * 1e3 || 0;
  } catch {
    // no answer: tried again
  }
  if (status > 499 || status === 408 || status === 429) {
    notBefore = Date.now() + after;
    failures++;
    later(after || Math.min(Max.wait, 500 * 2 ** failures) * (0.5 + Math.random() / 2));
  } else {
    if (status > 399) console.warn("cairn: refused", status);
    failures = notBefore = 0;
    check();
    items = without(flying);
    save();
    later(0);
  }
  flying = [];
};

// leave sends what waits without an answer: the page may be gone at once. While
// the collector does not answer it rather leaves it to the next page.
export const leave = (forGood = false) => {
  check();
  left ||= forGood;
  let batch;
  while (navigator.onLine && !failures && (batch = batchOf(without(flying)))[0] && navigator.sendBeacon(options.host!, body(batch))) {
    items = without(batch);
  }
  save();
};

// adopt takes over what pages without a sign of life have left behind. It writes
// its claim, and looks a moment later whether the claim is still there: of two
// pages that try, one wins.
export const adopt = () => {
  for (const name of storedNames()) {
    if (!name.startsWith(prefix) || name === mine) continue;
    const [at, list] = JSON.parse(stored(name)!) as [number, string[]];
    if (Math.abs(Date.now() - at) < Max.lease) continue;
    const claim = stored(name, JSON.stringify([Date.now(), list, mine]));
    setTimeout(() => {
      if (!claim || stored(name) !== claim) return;
      check();
      items = bounded([...list.filter(recent), ...items]);
      save();
      stored(name, null);
      later(0);
    }, 250);
  }
};

// again looks around: now and then, after a pause, after a time without network.
const again = (e?: Event) => {
  if (!granted()) return;
  check();
  if (e) left = false;
  if (items[0]) {
    save();
    if (e?.type === "online" && Date.now() > notBefore) void flush();
    else later(0);
  }
  adopt();
};

// watchQueue begins to look around.
export const watchQueue = () => {
  listen(window, "online pageshow", again);
  setInterval(again, Max.beat);
};

// forget drops all that waits, here and in other pages' entries.
export const forget = () => {
  items = [];
  for (const name of storedNames()) if (name.startsWith(prefix)) stored(name, null);
};
