// Who is visiting, and whether that may be remembered.
import { stored, uuid } from "./browser";
import { granted } from "./emit";
import { options } from "./options";

const userName = "cairn.user";

let visitor = ""; // where cookies are refused, this page's
let user = ""; // without consent, or where nothing is stored

const setCookie = (value: string, days: number) => {
  document.cookie =
    `cairn_id=${value};path=/;max-age=${days * 86400};samesite=lax;domain=${options.cookieDomain ?? ""}` +
    (location.protocol === "https:" ? ";secure" : "");
};

// visitorId is the cookie's, read each time because tabs share it. renew makes
// the cookie last from now on.
export const visitorId = (renew?: boolean) => {
  const found = document.cookie.match(/\bcairn_id=([\w-]+)/)?.[1];
  visitor = found ?? (visitor || uuid());
  if (renew || !found) setCookie(visitor, +(options.cookieDays ?? 365));
  return visitor;
};

// userId is the user that identify named, also on an earlier page.
export const userId = () => user || (granted() && stored(userName)) || undefined;

// setUser remembers a user. What was named before there was consent is stored
// when it is named again, with it.
export const setUser = (id: string) => {
  user = granted() && stored(userName, id) ? "" : id;
};

// forgetVisitor makes the next event one of somebody else.
export const forgetVisitor = () => {
  visitor = user = "";
  setCookie("", -1);
  stored(userName, null);
};
