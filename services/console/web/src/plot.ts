// The geometry of the line of days: percentages of the plot's width and height.
import type { Day } from "./api";

const dayMs = 86_400_000;
const maxDays = 92;
const maxLabels = 14;
const maxTicks = 8;
const lowest = 76; // percent from the top below which a number would touch the axis
const apart = 9; // percent between two numbers on the line, so that they do not touch

export interface Point {
  day: Day;
  x: number;
  y: number;
  width: number; // of a day
  low: boolean; // lower than its neighbours, so its number stands below the line
}

export interface Plot {
  points: Point[];
  segments: string[]; // SVG paths over days that follow each other
  extremes: Point[]; // lowest, last and highest, where they are not too close: they carry their number
  ticks: { day: string; x: number; minor: boolean }[];
  labelled: boolean; // few enough days for a number on each
}

// The newest days that fit.
export function frame(days: Day[]): Day[] {
  const last = days.at(-1);
  if (!last) return [];
  const first = time(last) - (maxDays - 1) * dayMs;
  return days.filter((d) => time(d) >= first);
}

export function plot(days: Day[]): Plot {
  const first = days[0] ? time(days[0]) : 0;
  const span = days.length ? (time(days[days.length - 1]!) - first) / dayMs + 1 : 1;
  const place = (at: number) => (((at - first) / dayMs + 0.5) / span) * 100;
  const points = days.map((day) => ({ day, x: place(time(day)), y: (1 - (day.conversion ?? 0)) * 100, width: 100 / span, low: false }));
  points.forEach((p, i) => {
    const around = [points[i - 1], points[i + 1]].filter((n) => n !== undefined);
    p.low = p.y < lowest && around.length > 0 && around.every((n) => n.y < p.y);
  });
  return { points, segments: join(points), extremes: extremesOf(points), ticks: ticksOf(first, span, place), labelled: span <= maxLabels };
}

function time(d: Day): number {
  return Date.parse(d.day + "T00:00:00Z");
}

function join(points: Point[]): string[] {
  const runs: Point[][] = [];
  for (const p of points) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run && before && time(p.day) - time(before.day) === dayMs) run.push(p);
    else runs.push([p]);
  }
  return runs.filter((r) => r.length > 1).map((r) => "M" + r.map((p) => `${p.x.toFixed(3)} ${p.y.toFixed(3)}`).join("L"));
}

function extremesOf(points: Point[]): Point[] {
  const bottom = points.reduce<Point | undefined>((a, b) => (a && a.y >= b.y ? a : b), undefined);
  const top = points.reduce<Point | undefined>((a, b) => (a && a.y <= b.y ? a : b), undefined);
  const chosen: Point[] = [];
  for (const p of [bottom, points.at(-1), top]) {
    if (p && !chosen.some((c) => Math.abs(c.x - p.x) < apart)) chosen.push(p);
  }
  return chosen;
}

function ticksOf(first: number, span: number, place: (at: number) => number) {
  const every = Math.ceil(span / maxTicks);
  const ticks = [];
  for (let i = 0; i < span; i += every) {
    const at = first + i * dayMs;
    ticks.push({ day: new Date(at).toISOString().slice(0, 10), x: place(at), minor: (i / every) % 2 === 1 });
  }
  return ticks;
}
