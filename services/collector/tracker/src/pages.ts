// Where the visitor is: page views, also without the browser loading a page, and
// how pages are read.
import { listen, safe } from "./browser";
import { emit, track } from "./emit";
import { forgetErrors } from "./errors";
import { abandonForms } from "./forms";
import { is, options } from "./options";
import { leave } from "./queue";

const enum Ms {
  idle = 15_000, // that count as engaged after a sign of it
  settle = 100, // in which a router may redirect and set the title
}

// page is the one that events belong to. After a single-page navigation it
// stays the old one until that one's last events are made.
export let page: Record<"url" | "path" | "referrer", string>;

// campaign is that of the last address with utm_ parameters.
export let campaign: Record<string, string> | undefined;

let shown: string; // the key of the page
let since: Date; // it is shown
let waiting: number | undefined; // until its view is counted
let engaged = 0; // ms, not yet told
let last = 0; // when that was counted; 0 while the page is hidden
let depth = 0; // percent
let told = 0; // of the depth

// key says which page an address is. #/ is the sign of routers that keep it there.
const key = () => location.pathname + location.search + (location.hash.match(/^#!?\/.*/) ?? "");

// count makes the page's view an event.
const count = (name?: string, properties?: object) => {
  clearTimeout(waiting);
  waiting = 0;
  emit("page", { name, properties, timestamp: since });
};

// view counts what the browser shows now.
export const view: typeof count = (...args) => {
  navigated();
  count(...args);
};

// show makes the browser's address the page.
const show = () => {
  const clean = options.url ?? ((url: string) => url);
  const url = clean(location.href);
  const { pathname: path, searchParams } = new URL(url);
  page = { url, path, referrer: waiting ? page.referrer : page?.url ?? clean(document.referrer) };
  let found: typeof campaign;
  searchParams.forEach((value, name) => {
    if (name.startsWith("utm_") && value) (found ??= {})[name === "utm_campaign" ? "name" : name.slice(4)] = value;
  });
  campaign = found ?? campaign;
  shown = key();
  since = new Date();
  depth = told = engaged = 0;
  last = Date.now();
  clearTimeout(waiting);
  if (!is("pages", "false")) waiting = setTimeout(safe(count), Ms.settle);
};

// navigated looks whether the address is another page's. One that was not
// counted yet was on the way only.
const navigated = () => {
  if (key() === shown) return;
  if (!waiting) close();
  show();
};

// close tells the last of a page.
const close = () => {
  report();
  abandonForms();
  forgetErrors();
};

// engage counts the time since the last sign of it, and how far was scrolled.
const engage = () => {
  if (last) engaged += Math.min(Date.now() - last, Ms.idle);
  last = Date.now();
  depth = Math.max(depth, Math.min(4, ((scrollY + innerHeight + 2) / document.documentElement.scrollHeight) * 4 | 0) * 25);
};

const report = () => {
  if (waiting) count();
  if (is("engagement", "false")) return;
  engage();
  const seconds = (engaged / 1e3) | 0;
  if (!seconds && depth <= told) return;
  track("page_engaged", { engaged_seconds: seconds, scroll_depth: depth });
  engaged -= seconds * 1e3;
  told = depth;
};

// watchPages begins with the page that is shown.
export const watchPages = () => {
  show();
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (...args) {
      original.apply(this, args);
      safe(navigated)();
    };
  }
  listen(window, "popstate", navigated);
  listen(document, "pointerdown pointermove keydown scroll", engage);
  listen<PageTransitionEvent>(window, "pageshow", (e) => {
    if (e.persisted) show();
  });
  listen(window, "pagehide visibilitychange", ({ type }) => {
    if (type === "pagehide") {
      close();
      leave(true);
    } else if (document.hidden) {
      report();
      leave();
    }
    last = document.hidden ? 0 : Date.now();
  });
};
