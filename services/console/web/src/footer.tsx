import type { JourneyMap } from "./api";
import { count, moment } from "./format";

export function Footer({ map }: { map: JourneyMap }) {
  const t = map.totals;
  const before = t.touchpoints - t.touchpoints_in_stages;
  return (
    <footer>
      <p>
        <b data-number="touchpoints">{count(t.touchpoints)}</b> touchpoints of <b data-number="total_profiles">{count(t.profiles)}</b> profiles
        {before > 0 && <>, <b>{count(before)}</b> outside a stage</>}
        {t.robot_touchpoints > 0 && <>; <b>{count(t.robot_touchpoints)}</b> by robots left out</>}
      </p>
      {map.data_as_of && <p>Arrived up to {moment(map.data_as_of, map.generated_at)} UTC</p>}
      <details>
        <summary>How each number is defined</summary>
        <dl class="defs">
          <dt>Profiles of a stage</dt>
          <dd>Unique profiles with a touchpoint in the range while in this stage or a later one.</dd>
          <dt>Of entrants</dt>
          <dd>Profiles of the stage ÷ profiles of the first stage.</dd>
          <dt>Went on</dt>
          <dd>Profiles that reached a later stage so far, ÷ profiles of the stage. Who may still go on is not told apart yet from who dropped off.</dd>
          <dt>Dwell</dt>
          <dd>From entering a stage to leaving it, over the visits that ended in the range.</dd>
          <dt>Channels</dt>
          <dd>Unique profiles with a touchpoint on the channel while in the stage. They overlap, so they are never summed. Heat is their share of the stage’s profiles.</dd>
          <dt>By day</dt>
          <dd>Profiles that entered the stage, came back to it or passed over it on that day; went on: their journey reached a later stage afterwards, on whatever day.</dd>
          <dt>Left out</dt>
          <dd>Touchpoints of robots.</dd>
        </dl>
      </details>
    </footer>
  );
}
