// What GET /api/v1/journey-map answers; see services/console/mapview for what
// each number means. A count that is null is too small to show, any other null
// means that there is no evidence.
export interface JourneyMap {
  namespace: string;
  from: string | null;
  to: string | null;
  generated_at: string;
  data_as_of: string | null;
  first_touchpoint_at: string | null;
  last_touchpoint_at: string | null;
  goal: string;
  min_count: number;
  totals: Totals;
  stages: Stage[];
  channels: Channel[];
  daily: Day[];
}

export interface Totals {
  touchpoints: number;
  touchpoints_in_stages: number;
  robot_touchpoints: number;
  profiles: number;
}

export interface Stage {
  stage: string;
  order: number;
  profiles: number | null;
  of_entrants: number | null;
  went_on: number | null;
  conversion: number | null;
  median_dwell_seconds: number | null;
  mean_dwell_seconds: number | null;
}

export interface Channel {
  channel: string;
  cells: Cell[];
}

export interface Cell {
  stage: string;
  touchpoints: number | null;
  profiles: number | null;
  share: number | null;
  mean_dwell_seconds: number | null;
}

export interface Day {
  day: string;
  stage: string;
  profiles: number | null;
  went_on: number | null;
  conversion: number | null;
}

const timeoutMs = 20_000;

export async function fetchMap(filter: URLSearchParams, left: AbortSignal): Promise<JourneyMap> {
  let answer: Response;
  try {
    answer = await fetch("/api/v1/journey-map?" + filter, {
      headers: { Accept: "application/json" },
      signal: AbortSignal.any([left, AbortSignal.timeout(timeoutMs)]),
    });
  } catch (e) {
    if (left.aborted) throw e;
    throw new Error("The console does not answer.");
  }
  const body: unknown = await answer.json().catch(() => null);
  if (!answer.ok || body === null) throw new Error(sentence(body) ?? `The console answered with status ${answer.status}.`);
  return body as JourneyMap;
}

function sentence(body: unknown): string | undefined {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  return typeof body.error === "string" ? body.error : undefined;
}
