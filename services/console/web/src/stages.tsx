import type { JourneyMap, Stage } from "./api";
import { count, duration, label, none, share } from "./format";

interface Props {
  map: JourneyMap;
  chosen: string;
  onChoose: (stage: string) => void;
}

// The columns' headers. A click chooses the stage that the days below show.
export function Stages({ map, chosen, onChoose }: Props) {
  return (
    <section class="lane stages" aria-label="Stages">
      <div class="lh">
        <span class="lt">Stage</span>
        <span class="ln">Unique profiles that reached it or a later one</span>
        <span class="nh" aria-hidden="true">
          <i>Profiles</i>
          <i>Of entrants</i>
          <i>Went on</i>
        </span>
      </div>
      {map.stages.map((s, i) => (
        <article key={s.stage} class={"c" + (s.stage === chosen ? " sel" : "")} data-stage={s.stage} aria-label={label(s.stage)}>
          <h2>
            <button type="button" aria-pressed={s.stage === chosen} onClick={() => onChoose(s.stage)}>
              {label(s.stage)}
            </button>
          </h2>
          <p class="big" data-number="profiles">{number(s.profiles, map.min_count)}</p>
          <p class="pct">
            <span data-number="of_entrants">{share(s.of_entrants)}</span>
            <span class="nw"> of entrants</span>
          </p>
          {i < map.stages.length - 1 ? <Onward stage={s} smallest={map.min_count} /> : <Last stage={s} />}
        </article>
      ))}
    </section>
  );
}

function number(n: number | null, smallest: number): string {
  return n === null ? `< ${smallest}` : count(n);
}

function Onward({ stage, smallest }: { stage: Stage; smallest: number }) {
  const { profiles, went_on, conversion } = stage;
  const rest = profiles === null || went_on === null ? null : profiles - went_on;
  return (
    <>
      <div class={"split" + (conversion === null ? " none" : "")} aria-hidden="true">
        <i style={{ width: `${(conversion ?? 0) * 100}%` }} />
      </div>
      <dl>
        <dt class="k1">Went on</dt>
        <dd class="k" data-number="conversion">{share(conversion)}</dd>
        <dd class="k" data-number="went_on">{profiles === 0 ? none : number(went_on, smallest)}</dd>
        <dt class="k2">Not so far</dt>
        <dd>{share(conversion === null ? null : 1 - conversion)}</dd>
        <dd data-number="not_yet">{profiles === 0 ? none : number(rest, smallest)}</dd>
        <dt>Median dwell</dt>
        <dd class="w2" data-number="median_dwell_seconds">{duration(stage.median_dwell_seconds)}</dd>
        <dt>Mean dwell</dt>
        <dd class="w2" data-number="mean_dwell_seconds">{duration(stage.mean_dwell_seconds)}</dd>
      </dl>
    </>
  );
}

function Last({ stage }: { stage: Stage }) {
  return (
    <>
      <div class="split none" aria-hidden="true" />
      <dl>
        <dt class="w3 dim">Last stage</dt>
        <dt class="w3 gap" aria-hidden="true" />
        <dt>Median dwell</dt>
        <dd class="w2" data-number="median_dwell_seconds">{duration(stage.median_dwell_seconds)}</dd>
        <dt>Mean dwell</dt>
        <dd class="w2" data-number="mean_dwell_seconds">{duration(stage.mean_dwell_seconds)}</dd>
      </dl>
    </>
  );
}
