import type { JourneyMap } from "./api";
import { day, dayAndYear } from "./format";
import { apiFilter, presets, type Query } from "./query";

interface Props {
  query: Query;
  map: JourneyMap | null;
  onChange: (part: Partial<Query>) => void;
}

export function Filters({ query, map, onChange }: Props) {
  const csv = apiFilter(query, new Date(map?.generated_at ?? Date.now()));
  csv.set("format", "csv");
  return (
    <form class="filters" aria-label="Filters" onSubmit={(e) => e.preventDefault()}>
      <fieldset class="f">
        <legend class="fl">Time range</legend>
        <div class="seg">
          {presets.map((p) => (
            <label key={p.id}>
              <input
                type="radio"
                name="range"
                checked={query.range === p.id}
                onChange={() => onChange({ range: p.id, from: "", to: "" })}
              />
              <span>{p.label}</span>
            </label>
          ))}
        </div>
      </fieldset>
      <fieldset class="f days">
        <legend class="fl">Days, UTC</legend>
        <input type="date" aria-label="First day" class={query.from ? "" : "unset"} value={query.from.slice(0, 10)} max={lastDay(query.to)} onChange={(e) => onChange(custom(query, { from: e.currentTarget.value }))} />
        <span aria-hidden="true">–</span>
        <input type="date" aria-label="Last day" class={query.to ? "" : "unset"} value={lastDay(query.to)} min={query.from.slice(0, 10)} onChange={(e) => onChange(custom(query, { to: dayAfter(e.currentTarget.value) }))} />
      </fieldset>
      {map && (
        <div class="f shows">
          <span class="fl">Shows</span>
          <span>{covered(map)}</span>
        </div>
      )}
      <div class="acts">
        <a href={"/api/v1/journey-map?" + csv} download>CSV</a>
        <button type="button" class="pri" aria-pressed={query.table} onClick={() => onChange({ table: !query.table })}>
          {query.table ? "View as map" : "View as table"}
        </button>
      </div>
    </form>
  );
}

// A custom range with both ends open is all time.
function custom(query: Query, part: { from?: string; to?: string }): Partial<Query> {
  const next = { from: query.from, to: query.to, ...part };
  return { ...next, range: next.from || next.to ? "custom" : "all" };
}

// The API's "to" no longer belongs to the range; people mean the last day.
function lastDay(to: string): string {
  return to ? shift(to, -1) : "";
}

function dayAfter(last: string): string {
  return last ? shift(last, 1) : "";
}

function shift(date: string, by: number): string {
  const at = new Date(date.slice(0, 10) + "T00:00:00Z").getTime();
  return Number.isNaN(at) ? "" : new Date(at + by * 86_400_000).toISOString().slice(0, 10);
}

function covered(map: JourneyMap): string {
  const from = map.from ?? map.first_touchpoint_at;
  const to = new Date(map.to ? new Date(map.to).getTime() - 1 : map.generated_at).toISOString();
  if (!from) return "Nothing yet";
  if (from.slice(0, 10) === to.slice(0, 10)) return dayAndYear(to);
  const first = from.slice(0, 4) === to.slice(0, 4) ? day(from) : dayAndYear(from);
  return `${first} – ${dayAndYear(to)}`;
}
