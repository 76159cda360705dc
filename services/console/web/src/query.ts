// The filters live in the query string, so that an address is a view.
import { useCallback, useEffect, useState } from "preact/hooks";

export type Preset = "24h" | "7d" | "28d" | "90d" | "all";

export const presets: readonly { id: Preset; label: string; hours: number }[] = [
  { id: "24h", label: "24 hours", hours: 24 },
  { id: "7d", label: "7 days", hours: 7 * 24 },
  { id: "28d", label: "28 days", hours: 28 * 24 },
  { id: "90d", label: "90 days", hours: 90 * 24 },
  { id: "all", label: "All time", hours: 0 },
];

export interface Query {
  range: Preset | "custom";
  from: string; // of a custom range, as the API takes it; "": open
  to: string;
  stage: string; // chosen stage; "": the one before the goal
  table: boolean;
}

export function parseQuery(search: string): Query {
  const p = new URLSearchParams(search);
  const from = p.get("from") ?? "";
  const to = p.get("to") ?? "";
  const range = from || to ? "custom" : (presets.find((x) => x.id === p.get("range"))?.id ?? "all");
  return { range, from, to, stage: p.get("stage") ?? "", table: p.get("view") === "table" };
}

export function formatQuery(q: Query): string {
  const p = new URLSearchParams();
  if (q.range === "custom") {
    if (q.from) p.set("from", q.from);
    if (q.to) p.set("to", q.to);
  } else if (q.range !== "all") p.set("range", q.range);
  if (q.stage) p.set("stage", q.stage);
  if (q.table) p.set("view", "table");
  const text = p.toString();
  return text ? "?" + text : "";
}

// The range as the API takes it. A preset begins at a whole minute, so that
// pages that show the same one ask for the same.
export function apiFilter(q: Query, now: Date): URLSearchParams {
  const p = new URLSearchParams();
  if (q.range === "custom") {
    if (q.from) p.set("from", q.from);
    if (q.to) p.set("to", q.to);
    return p;
  }
  const hours = presets.find((x) => x.id === q.range)?.hours ?? 0;
  if (hours > 0) {
    const minute = Math.floor(now.getTime() / 60_000) * 60_000;
    p.set("from", new Date(minute - hours * 3_600_000).toISOString().slice(0, 19) + "Z");
  }
  return p;
}

export function useQuery(): [Query, (change: Partial<Query>) => void] {
  const [query, setQuery] = useState(() => parseQuery(location.search));
  useEffect(() => {
    const back = () => setQuery(parseQuery(location.search));
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  const change = useCallback((part: Partial<Query>) => {
    const next = { ...parseQuery(location.search), ...part };
    history.pushState(null, "", location.pathname + formatQuery(next));
    setQuery(next);
  }, []);
  return [query, change];
}
