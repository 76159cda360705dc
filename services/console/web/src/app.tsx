import { useEffect, useState } from "preact/hooks";
import type { JourneyMap } from "./api";
import { Band } from "./band";
import { Channels } from "./channels";
import { Daily } from "./daily";
import { Filters } from "./filters";
import { Footer } from "./footer";
import { Headline } from "./headline";
import { Skeleton } from "./skeleton";
import { Stages } from "./stages";
import { Tables } from "./tables";
import { Top } from "./top";
import { useFeed } from "./feed";
import { useQuery } from "./query";

export type State = "loading" | "live" | "paused" | "stale" | "empty" | "error";

export function App() {
  const [query, change] = useQuery();
  const [paused, setPaused] = useState(false);
  const feed = useFeed(query, paused);
  const { map } = feed;
  const state = stateOf(map, feed.failure, paused);
  const drawn = state !== "loading" && state !== "error" && state !== "empty";
  const stage = map ? chosenStage(map, query.stage) : "";

  // For tests and for whoever watches from outside: the state, and which
  // snapshot the page shows once it is drawn.
  useEffect(() => {
    const root = document.documentElement;
    root.dataset["state"] = state;
    if (state === "loading") delete root.dataset["ready"];
    else root.dataset["ready"] = map?.generated_at ?? "none";
    document.title = `Journey map · ${map?.namespace ?? "cairn"}`;
  });

  return (
    <>
      <a class="skip" href="#map">Skip to the map</a>
      <Top map={map} state={state} paused={paused} onPause={setPaused} />
      <Filters query={query} map={map} onChange={change} />
      <Band state={state} map={map} failure={feed.failure} onRetry={feed.retry} onAllTime={() => change({ range: "all", from: "", to: "" })} />
      <main id="map" tabIndex={-1} aria-busy={state === "loading"}>
        {state === "loading" && <Skeleton />}
        {map && drawn && (
          <>
            <Headline map={map} stage={stage} />
            {query.table ? (
              <Tables map={map} filter={query} />
            ) : (
              <div class="map" style={{ "--columns": map.stages.length }}>
                <Stages map={map} chosen={stage} onChoose={(name) => change({ stage: name })} />
                <Channels map={map} chosen={stage} />
                <Daily map={map} stage={stage} />
              </div>
            )}
          </>
        )}
      </main>
      {map && drawn && <Footer map={map} />}
    </>
  );
}

function stateOf(map: JourneyMap | null, failure: string | null, paused: boolean): State {
  if (!map) return failure ? "error" : "loading";
  if (failure) return "stale";
  if (!map.stages.some((s) => s.profiles !== 0)) return "empty";
  return paused ? "paused" : "live";
}

// The stage whose days are drawn, and the one a narrow screen shows: the chosen
// one, else the one before the goal, where a failing checkout shows.
function chosenStage(map: JourneyMap, wanted: string): string {
  const names = map.stages.map((s) => s.stage);
  if (names.includes(wanted)) return wanted;
  return names[Math.max(names.indexOf(map.goal) - 1, 0)] ?? "";
}
