// cairn.js: tells cairn's collector what visitors do. docs/tracker.md describes it.
import { safe } from "./browser";
import { watchClicks } from "./clicks";
import { emit, setConsent, track } from "./emit";
import { watchErrors } from "./errors";
import { watchForms } from "./forms";
import { options, type Options } from "./options";
import { watchQueue } from "./queue";
import { view, watchPages } from "./pages";
import { forgetVisitor, setUser, userId } from "./visitor";

const init = safe((o: Options) => {
  if (options.key || !o.key) throw Error("init: one key");
  Object.assign(options, o, { host: new URL("v1/batch", o.host || tag?.src.split("cairn.js")[0]).href });
  watchPages();
  setConsent(o.consent || "granted");
  watchQueue();
  watchForms();
  watchClicks();
  watchErrors();
});

// A call as it waits in the queue of the snippet: ["track", "product_viewed"].
type Call = [name: string, ...args: never[]];

const site = window as unknown as { cairn?: Call[] & { version?: string } };
const tag = document.currentScript as HTMLScriptElement | null; // only now

const api: Record<string, unknown> = {
  version: VERSION,
  init,
  page: safe(view),
  track: safe(track),
  identify: safe((id: string | object, traits?: object) => {
    if (typeof id === "object") traits = id;
    else setUser(id + "");
    emit("identify", { traits });
  }),
  alias: safe((to: string, from?: string) => emit("alias", { userId: to, previousId: from ?? userId() })),
  reset: safe(forgetVisitor),
  consent: safe(setConsent),
  push,
};

function push(...calls: Call[]) {
  for (const [name, ...args] of calls) safe(api[name] as (...args: never[]) => void)(...args);
}

// begin takes the place of the snippet's queue. A second copy does nothing.
function begin() {
  const queued = site.cairn;
  if (queued?.version) return;
  site.cairn = api as never;
  if (tag?.dataset.key) init(tag.dataset as unknown as Options);
  if (Array.isArray(queued)) push(...queued);
}

// A page that the browser loads before anybody wants it has no visitor yet.
if ((document as { prerendering?: boolean }).prerendering) document.addEventListener("prerenderingchange", begin);
else begin();
