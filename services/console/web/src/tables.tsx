import type { ComponentChildren } from "preact";
import type { Day, JourneyMap } from "./api";
import { count, dayAndYear, duration, label, share, shown } from "./format";
import { apiFilter, type Query } from "./query";

// The whole map as tables: what the lanes draw, and the numbers they leave out.
export function Tables({ map, filter }: { map: JourneyMap; filter: Query }) {
  const n = (v: number | null) => (v === 0 ? "0" : shown(v, map.min_count));
  const last = map.stages.length - 1;
  return (
    <div class="tables">
      <Sheet id="stages" title="Stages" map={map} filter={filter} head={["Stage", "Profiles", "Of entrants", "Went on", "Conversion", "Median dwell", "Mean dwell"]}>
        {map.stages.map((s, i) => (
          <tr key={s.stage}>
            <th scope="row">{label(s.stage)}</th>
            <td>{n(s.profiles)}</td>
            <td>{share(s.of_entrants)}</td>
            <td>{i === last ? "–" : n(s.went_on)}</td>
            <td>{share(s.conversion)}</td>
            <td>{duration(s.median_dwell_seconds)}</td>
            <td>{duration(s.mean_dwell_seconds)}</td>
          </tr>
        ))}
      </Sheet>
      <Sheet id="channels" title="Channels by stage" map={map} filter={filter} names={2} head={["Channel", "Stage", "Profiles", "Of the stage", "Touchpoints", "Mean dwell"]}>
        {map.channels.flatMap((ch) =>
          ch.cells
            .filter((c) => c.profiles !== 0)
            .map((c) => (
              <tr key={ch.channel + "/" + c.stage}>
                <th scope="row">{label(ch.channel)}</th>
                <td>{label(c.stage)}</td>
                <td>{n(c.profiles)}</td>
                <td>{share(c.share)}</td>
                <td>{n(c.touchpoints)}</td>
                <td>{duration(c.mean_dwell_seconds)}</td>
              </tr>
            )),
        )}
      </Sheet>
      <Sheet id="daily" title="Stages by day of entry" map={map} filter={filter} names={2} head={["Day (UTC)", "Stage", "Profiles", "Went on", "Conversion"]}>
        {newestFirst(map.daily).map((d) => (
          <tr key={d.day + "/" + d.stage}>
            <th scope="row">{dayAndYear(d.day)}</th>
            <td>{label(d.stage)}</td>
            <td>{n(d.profiles)}</td>
            <td>{d.conversion === null && d.went_on === 0 ? "–" : d.went_on === null ? "few" : count(d.went_on)}</td>
            <td>{share(d.conversion)}</td>
          </tr>
        ))}
      </Sheet>
    </div>
  );
}

// Days from the newest, stages of a day in their order.
function newestFirst(days: Day[]): Day[] {
  return [...days].sort((a, b) => (a.day < b.day ? 1 : a.day > b.day ? -1 : 0));
}

interface SheetProps {
  id: "stages" | "channels" | "daily";
  title: string;
  head: string[];
  names?: 1 | 2; // columns that hold names, not numbers
  map: JourneyMap;
  filter: Query;
  children: ComponentChildren;
}

function Sheet({ id, title, head, names = 1, map, filter, children }: SheetProps) {
  const csv = apiFilter(filter, new Date(map.generated_at));
  csv.set("format", "csv");
  csv.set("table", id);
  return (
    <section class={`sheet names${names}`}>
      <header>
        <h2 id={"t-" + id}>{title}</h2>
        <a href={"/api/v1/journey-map?" + csv} download aria-label={`${title} as CSV`}>CSV</a>
      </header>
      <div class="scroll" role="region" aria-labelledby={"t-" + id} tabIndex={0}>
        <table aria-labelledby={"t-" + id} data-table={id}>
          <thead>
            <tr>{head.map((h) => <th key={h} scope="col">{h}</th>)}</tr>
          </thead>
          <tbody>{children}</tbody>
        </table>
      </div>
    </section>
  );
}
