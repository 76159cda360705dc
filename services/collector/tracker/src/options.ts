// What the site says about how it wants to be tracked.

export type Consent = "granted" | "pending" | "denied";

// A switch is text where it comes from an attribute.
type Switch = boolean | "true" | "false";

// Options are given to init, or as data attributes of the script's tag:
// data-cookie-days is cookieDays.
export interface Options {
  key: string; // the write key
  host?: string; // address of the collector, with a slash after its path; else where the script came from
  consent?: Consent; // "granted"
  dnt?: Switch; // honour Do Not Track and Global Privacy Control; false
  cookieDomain?: string; // of cairn_id; this host alone
  cookieDays?: number | string; // of cairn_id; 365
  interval?: number | string; // milliseconds in which events are collected into a request; 1000
  url?: (url: string) => string; // changes addresses before they are sent
  // What is tracked without a call; each true.
  pages?: Switch;
  clicks?: Switch;
  forms?: Switch;
  frustration?: Switch;
  errors?: Switch;
  engagement?: Switch;
}

type Switches = "dnt" | "pages" | "clicks" | "forms" | "frustration" | "errors" | "engagement";

export const options = {} as Options;

// is tells whether a switch was set to this.
export const is = (name: Switches, value: "true" | "false") => options[name] + "" === value;
