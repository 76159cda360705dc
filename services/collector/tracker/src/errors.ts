// Errors of the site's own code that nobody caught.
import { listen } from "./browser";
import { track } from "./emit";
import { is } from "./options";

const enum Max {
  told = 5, // on a page
  text = 200, // characters
}

let told: string[] = []; // on this page

const tell = (kind: string, message: string, place: string) => {
  const what = { kind, message: message.slice(0, Max.text), place: place.replace(/\?[^:]*/, "").slice(-Max.text) };
  if (told.length >= Max.told || told.includes(what.message + what.place)) return;
  told.push(what.message + what.place);
  track("error_shown", what);
};

// forgetErrors begins another page.
export const forgetErrors = () => {
  told = [];
};

// watchErrors leaves out what other sites' scripts do, of which browsers tell nothing.
export const watchErrors = () => {
  if (is("errors", "false")) return;
  listen<ErrorEvent>(window, "error", (e) => {
    if (e.lineno) tell("error", e.message, `${e.filename}:${e.lineno}:${e.colno}`);
  });
  listen<PromiseRejectionEvent>(window, "unhandledrejection", ({ reason }) => {
    tell("rejection", (reason?.message ?? reason) + "", reason?.stack?.match(/https?:\S+:\d+/)?.[0] ?? "");
  });
};
