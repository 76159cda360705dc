// Clicks with a name, angry clicks, and clicks on what does not answer.
import { listen } from "./browser";
import { track } from "./emit";
import { is } from "./options";

const enum Max {
  within = 1000, // ms, of three angry clicks, and for an answer
  near = 30, // CSS pixels
}

// What a page may answer to a click, beside changing what it shows.
const answer = "submit reset invalid input change scroll toggle play copy pagehide";

let answers = 0; // seen so far
let burst: MouseEvent[] = []; // the last clicks near each other
let raged = -Max.within; // when the last angry one was
let waiting = false; // for an answer

// ignored elements and what is in them are not watched.
export const ignored = (e: Element) => e.closest("[data-cairn-off]");

// describe says which element it is, without its text.
const describe = (e: Element) => {
  const sign = e.id ? "#" + e.id : e.classList[0] ? "." + e.classList[0] : "";
  return { element: e.localName + sign };
};

// properties are the attributes data-cairn-*; what looks like a number is one.
const properties = (e: Element) => {
  const found: Record<string, string | number> = {};
  for (const { name, value } of e.attributes) {
    if (name.startsWith("data-cairn-")) found[name.slice(11).replace(/-/g, "_")] = +value + "" === value ? +value : value;
  }
  return found;
};

const rage = (e: MouseEvent, target: Element) => {
  const close = (b: MouseEvent) => e.timeStamp - b.timeStamp <= Max.within && Math.hypot(b.clientX - e.clientX, b.clientY - e.clientY) <= Max.near;
  burst = [...burst.filter(close), e];
  if (!burst[2]) return;
  if (e.timeStamp - raged > Max.within) track("rage_click", describe(target)); // once, however long it goes on
  raged = e.timeStamp;
};

// dead waits for an answer to a click on what looks as if it would.
const dead = (e: MouseEvent, target: Element) => {
  const button = target.closest("a,button,[role=button],[onclick],input");
  if (waiting || (!button && getComputedStyle(target).cursor !== "pointer")) return;
  const before = answers;
  const href = location.href;
  const observer = new MutationObserver(() => answers++);
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  waiting = true;
  setTimeout(() => {
    observer.disconnect();
    waiting = false;
    // The browser follows a link, however long that takes, unless the site takes over.
    const link = target.closest("a")?.href;
    const follows = link && !e.defaultPrevented && link.split("#")[0] !== href.split("#")[0];
    if (answers === before && location.href === href && document.hasFocus() && !follows) track("dead_click", describe(button ?? target));
  }, Max.within);
};

// watchClicks listens to the whole document.
export const watchClicks = () => {
  listen<MouseEvent>(document, "click", (e) => {
    const target = e.target as Element;
    if (ignored(target)) return;
    const found = target.closest("[data-cairn]");
    // A form's name is not that of the clicks in it.
    if (found && found.localName !== "form" && !is("clicks", "false")) track(found.getAttribute("data-cairn")!, properties(found));
    if (is("frustration", "false") || !e.isTrusted) return;
    // Fields answer by themselves, and one clicks them three times to select what is in them.
    if (target.closest("label,select,textarea,summary,canvas,video,audio,[contenteditable],input:not([type=button],[type=submit])")) return;
    if (e.detail) rage(e, target);
    dead(e, target);
  });
  listen(window, answer, () => answers++);
};
