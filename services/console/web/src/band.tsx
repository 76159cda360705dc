import type { JourneyMap } from "./api";
import type { State } from "./app";
import { clock, dayAndYear } from "./format";

interface Props {
  state: State;
  map: JourneyMap | null;
  failure: string | null;
  onRetry: () => void;
  onAllTime: () => void;
}

// One sentence and one way on, for everything but a fresh map.
export function Band({ state, map, failure, onRetry, onAllTime }: Props) {
  if (state === "error") {
    return (
      <div class="band" role="alert">
        <p><b>The numbers could not be read.</b> {failure} Your filters are kept.</p>
        <button type="button" class="way" onClick={onRetry}>Try again</button>
      </div>
    );
  }
  if (state === "stale" && map) {
    return (
      <div class="band" role="alert">
        <p><b>Not refreshed since {clock(map.generated_at)} UTC.</b> {failure} What you see is complete up to then.</p>
        <button type="button" class="way" onClick={onRetry}>Try again</button>
      </div>
    );
  }
  if (state === "empty" && map) return <Empty map={map} onAllTime={onAllTime} />;
  return null;
}

function Empty({ map, onAllTime }: { map: JourneyMap; onAllTime: () => void }) {
  if (!map.first_touchpoint_at) {
    return (
      <div class="band" role="status">
        <p><b>No touchpoints yet.</b> The map appears here as soon as the collector accepts the first one.</p>
      </div>
    );
  }
  const open = map.from === null && map.to === null;
  return (
    <div class="band" role="status">
      <p>
        <b>{open ? "No journeys yet." : "No journeys in this range."}</b>{" "}
        {open
          ? "There are touchpoints, but none has entered a stage of the model."
          : `Touchpoints reach from ${dayAndYear(map.first_touchpoint_at)} to ${dayAndYear(map.last_touchpoint_at ?? map.first_touchpoint_at)}.`}
      </p>
      {!open && <button type="button" class="way" onClick={onAllTime}>Show all time</button>}
    </div>
  );
}
