// Keeps the map fresh.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { fetchMap, type JourneyMap } from "./api";
import { apiFilter, type Query } from "./query";

// A map that takes long to read is read less often, so that one open page never
// keeps the warehouse busy for more than a fifth of the time.
const refreshMs = 5_000;
const restPerRead = 4;

export interface Feed {
  // The newest map of the chosen range; null until the first has come.
  map: JourneyMap | null;
  // Why the last attempt failed; null when it did not.
  failure: string | null;
  // Draws anew at once.
  retry: () => void;
}

interface Answer {
  key: string;
  map: JourneyMap | null;
  failure: string | null;
}

// useFeed reads the map of the query's range now and every few seconds while it
// is not paused and the page is visible. A failure keeps the map; another range
// drops it, so that no number stands under the wrong range.
export function useFeed(query: Query, paused: boolean): Feed {
  const key = [query.range, query.from, query.to].join("|");
  const [answer, setAnswer] = useState<Answer>({ key, map: null, failure: null });
  const [attempt, setAttempt] = useState(0);
  const drawn = useRef("");

  useEffect(() => {
    const left = new AbortController();
    let timer: number | undefined;
    const read = async () => {
      clearTimeout(timer);
      const start = performance.now();
      let map: JourneyMap | null = null;
      let failure: string | null = null;
      try {
        map = await fetchMap(apiFilter(query, new Date()), left.signal);
      } catch (e) {
        failure = e instanceof Error ? e.message : "The numbers could not be read.";
      }
      if (left.signal.aborted) return;
      drawn.current = key;
      setAnswer((old) => ({ key, map: map ?? (old.key === key ? old.map : null), failure }));
      if (!paused && !document.hidden) {
        timer = setTimeout(read, Math.max(refreshMs, restPerRead * (performance.now() - start)));
      }
    };
    const seen = () => {
      if (!document.hidden && !paused) void read();
    };
    document.addEventListener("visibilitychange", seen);
    // Pausing keeps what is drawn; anything else reads at once.
    if (!paused || drawn.current !== key || attempt > 0) void read();
    return () => {
      left.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, paused, attempt]);

  const retry = useCallback(() => setAttempt((n) => n + 1), []);
  const current = answer.key === key;
  return { map: current ? answer.map : null, failure: current ? answer.failure : null, retry };
}
