import type { JourneyMap } from "./api";
import { count, day, label, share } from "./format";

// The map in a sentence, filled from its numbers; a part without evidence is
// left out.
export function Headline({ map, stage }: { map: JourneyMap; stage: string }) {
  const entrants = map.stages[0]?.profiles ?? null;
  const goal = map.stages.find((s) => s.stage === map.goal);
  const focus = map.stages.find((s) => s.stage === stage);
  const worst = worstDay(map, stage);
  if (entrants === null) return <h1>Too few profiles to show.</h1>;
  return (
    <h1>
      <b>{count(entrants)}</b> {entrants === 1 ? "profile" : "profiles"} {verb(map, entrants)} a journey
      {goal && goal.profiles !== null && goal.of_entrants !== null && (
        <>
          , <b>{count(goal.profiles)}</b> reached {label(goal.stage).toLowerCase()}: {share(goal.of_entrants)}
        </>
      )}
      .
      {focus && focus.conversion !== null && (
        <>
          {" "}
          {label(focus.stage)} let <b>{share(focus.conversion)}</b> go on
          {worst && worst.conversion !== null && (
            <>
              , but only {share(worst.conversion)} of the {count(worst.profiles ?? 0)} who came on {day(worst.day)}
            </>
          )}
          .
        </>
      )}
    </h1>
  );
}

// A range of time also holds journeys that began before it.
function verb(map: JourneyMap, entrants: number): string {
  if (!map.from) return "started";
  return entrants === 1 ? "was on" : "were on";
}

// The day that let the fewest go on, if that was clearly fewer than the stage's
// share. Days with fewer than ten profiles say nothing, and today is not over.
function worstDay(map: JourneyMap, stage: string) {
  const overall = map.stages.find((s) => s.stage === stage)?.conversion ?? null;
  const today = map.generated_at.slice(0, 10);
  const days = map.daily.filter((d) => d.stage === stage && d.day < today && d.conversion !== null && (d.profiles ?? 0) >= 10);
  const worst = days.reduce<(typeof days)[number] | undefined>((w, d) => (w && (w.conversion ?? 1) <= (d.conversion ?? 1) ? w : d), undefined);
  if (overall === null || days.length < 3 || !worst || (worst.conversion ?? 1) > overall * 0.75) return undefined;
  return worst;
}
