import { useRef, useState } from "preact/hooks";
import type { Day, JourneyMap } from "./api";
import { count, day as dayText, label, share } from "./format";
import { frame, plot, type Point } from "./plot";

// Days with fewer profiles than this are drawn hollow: their share says little.
const sparse = 10;

// A stage's conversion by day of entry. A day without entries is a gap in the
// line, never a zero and never bridged.
export function Daily({ map, stage }: { map: JourneyMap; stage: string }) {
  const days = map.daily.filter((d) => d.stage === stage && d.conversion !== null);
  const last = map.stages.at(-1)?.stage === stage;
  return (
    <section class="lane days" aria-label={`${label(stage)} by day`}>
      <div class="lh">
        <span class="lt">{label(stage)} by day</span>
        <span class="ln">Share that went on</span>
        {!last && days.length > 0 && (
          <span class="ax" aria-hidden="true">
            <i style={{ top: "0%" }}>100%</i>
            <i style={{ top: "50%" }}>50</i>
            <i style={{ top: "100%" }}>0</i>
          </span>
        )}
      </div>
      {last || days.length === 0 ? (
        <p class="curve nothing">{last ? "Last stage, nothing to go on to. Choose another one above." : "No evidence: nobody entered this stage in this range."}</p>
      ) : (
        <Chart days={days} smallest={map.min_count} stage={stage} />
      )}
    </section>
  );
}

function Chart({ days, smallest, stage }: { days: Day[]; smallest: number; stage: string }) {
  const shown = frame(days);
  const { points, segments, extremes, ticks, labelled } = plot(shown);
  const [at, setAt] = useState<string | null>(null);
  const list = useRef<HTMLOListElement>(null);
  const current = points.find((p) => p.day.day === at);
  const stop = current ?? points.at(-1);

  const move = (e: KeyboardEvent) => {
    const by = e.key === "ArrowLeft" ? -1 : e.key === "ArrowRight" ? 1 : 0;
    if (by === 0 || !stop) return;
    e.preventDefault();
    const next = points[points.indexOf(stop) + by];
    if (!next) return;
    setAt(next.day.day);
    list.current?.querySelector<HTMLElement>(`[data-day="${next.day.day}"]`)?.focus();
  };

  return (
    <figure class="curve">
      <div class="plot">
        <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label={describeAll(points, stage)}>
          <path class="g" d="M0 0H100M0 50H100" />
          <path class="g0" d="M0 100H100" />
          {segments.map((d) => <path key={d} class="ln1" d={d} />)}
        </svg>
        {points.map((p) => (
          <span
            key={p.day.day}
            class={["pt", (p.day.profiles ?? 0) < sparse && "few", p.low && "low", !labelled && !extremes.includes(p) && "small", p.day.day === at && "on"].filter(Boolean).join(" ")}
            style={{ left: `${p.x}%`, top: `${p.y}%` }}
            aria-hidden="true"
          >
            {(labelled || extremes.includes(p)) && (
              <b class={[extremes.includes(p) ? "" : "minor", !labelled && p.x < 6 && "start", !labelled && p.x > 94 && "end"].filter(Boolean).join(" ")}>
                {share(p.day.conversion)}
                {!labelled && <i> {of(p.day, smallest)}</i>}
              </b>
            )}
          </span>
        ))}
        <ol class="hits" ref={list} onKeyDown={move} onMouseLeave={() => setAt(null)}>
          {points.map((p) => (
            <li key={p.day.day} style={{ left: `${p.x - p.width / 2}%`, width: `${p.width}%` }}>
              <button
                type="button"
                data-day={p.day.day}
                tabIndex={p === stop ? 0 : -1}
                aria-label={describe(p.day, smallest)}
                onFocus={() => setAt(p.day.day)}
                onBlur={() => setAt(null)}
                onMouseEnter={() => setAt(p.day.day)}
              />
            </li>
          ))}
        </ol>
      </div>
      <div class={"xs" + (labelled ? " tall" : "")} aria-hidden="true">
        {labelled
          ? points.map((p) => (
              <span key={p.day.day} class={[extremes.includes(p) ? "" : "minor", p.x < 6 && "start", p.x > 94 && "end"].filter(Boolean).join(" ")} style={{ left: `${p.x}%` }}>
                <i>{dayText(p.day.day)}</i>
                <b>{of(p.day, smallest)}</b>
              </span>
            ))
          : ticks.map((t) => (
              <span key={t.day} class={[t.minor && "minor", t.x < 6 && "start", t.x > 94 && "end"].filter(Boolean).join(" ")} style={{ left: `${t.x}%` }}>
                <i>{dayText(t.day)}</i>
              </span>
            ))}
      </div>
      <figcaption>
        {current ? <b>{describe(current.day, smallest)}</b> : caption(shown.length < days.length, points)}
      </figcaption>
    </figure>
  );
}

function caption(cut: boolean, points: Point[]): string {
  const parts = ["Days in UTC; the newest can still rise."];
  if (points.some((p) => (p.day.profiles ?? 0) < sparse)) parts.push(`Hollow: fewer than ${sparse} profiles.`);
  if (cut) parts.push("The newest days are drawn; the table has all.");
  return parts.join(" ");
}

function of(d: Day, smallest: number): string {
  if (d.profiles === null) return `< ${smallest}`;
  return `${d.went_on === null ? "few" : count(d.went_on)} of ${count(d.profiles)}`;
}

function describe(d: Day, smallest: number): string {
  return `${dayText(d.day)}: ${share(d.conversion)}, ${of(d, smallest)} went on`;
}

function describeAll(points: Point[], stage: string): string {
  const shares = points.map((p) => `${dayText(p.day.day)} ${share(p.day.conversion)}`);
  const told = shares.length > 31 ? [...shares.slice(0, 3), `${shares.length - 6} more days`, ...shares.slice(-3)] : shares;
  return `${label(stage)} by day, share that went on: ${told.join(", ")}.`;
}
