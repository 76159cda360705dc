// Small things of the browser, each made so that it cannot throw into the site.

// safe makes a function of ours harmless: what it throws is told on the console.
export const safe =
  <A extends unknown[]>(f: (...args: A) => void) =>
  (...args: A) => {
    try {
      f(...args);
    } catch (e) {
      console.warn("cairn:", e);
    }
  };

// listen hears events, their types with blanks between them, before the site's
// own listeners can stop them.
export const listen = <E extends Event>(target: EventTarget, types: string, f: (e: E) => void) => {
  for (const type of types.split(" ")) target.addEventListener(type, safe(f) as EventListener, true);
};

// uuid is a random one, version 4. crypto.randomUUID is not there on pages
// without https.
export const uuid = () => {
  let text = "";
  crypto.getRandomValues(new Uint16Array(8)).forEach((n, i) => {
    const part = i === 3 ? (n & 0xfff) | 0x4000 : i === 4 ? (n & 0x3fff) | 0x8000 : n;
    text += (i > 1 && i < 6 ? "-" : "") + (part + 0x10000).toString(16).slice(1);
  });
  return text;
};

// stored reads and writes localStorage (or sessionStorage); null removes. It
// returns what is there now: null if there is nothing, or the browser forbids.
export const stored = (name: string, value?: string | null, area: "localStorage" | "sessionStorage" = "localStorage") => {
  let store;
  try {
    store = window[area];
    if (value === null) store.removeItem(name);
    else if (value !== undefined) store.setItem(name, value);
    return store.getItem(name);
  } catch {
    store?.removeItem(name); // full: the old value is out of date, too
    return null;
  }
};

// storedNames are all names in localStorage.
export const storedNames = () => {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
};
