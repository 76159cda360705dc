// Makes events and lets them through as consent allows.
import { stored, uuid } from "./browser";
import { type Consent, is } from "./options";
import { campaign, page } from "./pages";
import { adopt, forget, put } from "./queue";
import { forgetVisitor, setUser, userId, visitorId } from "./visitor";

const enum Max {
  held = 100, // events before there is consent
}

interface Event {
  anonymousId?: string;
  context: Record<string, unknown>;
}

let consent: Consent | undefined; // none before init

export const granted = () => consent === "granted";

let held: Event[] = []; // until there is consent: in memory alone

// emit sends an event, now or once the visitor consents. Fields win over what
// stands here.
export const emit = (type: string, fields?: object) => {
  if (!consent) throw Error("init first");
  const event = JSON.parse(
    JSON.stringify({
      messageId: uuid(),
      type,
      timestamp: new Date(),
      userId: userId(),
      context: { page: { ...page, title: document.title } },
      ...fields,
    }),
  );
  if (granted()) send(event);
  if (consent === "pending") held = [...held, event].slice(-Max.held);
};

// track is an event by name.
export const track = (event: string, properties?: object) => emit("track", { event, properties });

// landing is what brought the visitor here, kept for this tab's later pages.
const landing = (change?: string | null) => stored("cairn.campaign", change, "sessionStorage");

// send adds what may be stored, and hands the event to the queue.
const send = (event: Event) => {
  event.anonymousId = visitorId();
  event.context.consent = { status: consent };
  event.context.campaign = campaign ?? (JSON.parse(landing()!) || undefined);
  put(JSON.stringify(event));
};

// setConsent lets events through, holds them back, or drops them.
export const setConsent = (to: Consent) => {
  const { globalPrivacyControl, doNotTrack } = navigator as Navigator & { globalPrivacyControl?: boolean };
  consent = is("dnt", "true") && (globalPrivacyControl || doNotTrack === "1") ? "denied" : to;
  if (granted()) {
    const user = userId();
    if (user) setUser(user);
    visitorId(true);
    if (campaign) landing(JSON.stringify(campaign));
    held.splice(0).forEach(send);
    adopt();
  }
  if (consent === "denied") {
    held = [];
    forgetVisitor();
    landing(null);
    forget();
  }
};
