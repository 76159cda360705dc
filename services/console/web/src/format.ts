// How numbers, times and names read. mapview/format.go has the same rules.

const minus = "–"; // where there is nothing

export const none = minus;

export function count(n: number): string {
  return n.toLocaleString("en-US");
}

// A count that is null is hidden because it is below the smallest shown.
export function shown(n: number | null, smallest: number): string {
  if (n === null) return `< ${smallest}`;
  return n === 0 ? none : count(n);
}

export function share(v: number | null): string {
  return v === null ? none : `${(Math.floor(v * 1000 + 0.5) / 10).toFixed(1)}%`;
}

const units: readonly (readonly [size: number, next: number, unit: string, lower: string, larger: string])[] = [
  [86400, 3600, "d", "h", ""],
  [3600, 60, "h", "m", "d"],
  [60, 1, "m", "s", "h"],
];

// Two units while the larger is below ten, else one.
export function duration(seconds: number | null): string {
  if (seconds === null) return none;
  if (seconds < 10) return `${(Math.floor(seconds * 10 + 0.5) / 10).toFixed(1)} s`;
  const whole = Math.floor(seconds + 0.5);
  let above = Infinity;
  for (const [size, next, unit, lower, larger] of units) {
    if (whole < size) {
      above = size;
      continue;
    }
    if (whole >= 10 * size) {
      const n = Math.floor((whole + size / 2) / size);
      return n * size >= above ? `1 ${larger}` : `${count(n)} ${unit}`; // 59 m 40 s is 1 h
    }
    const rounded = Math.floor((whole + Math.floor(next / 2)) / next) * next;
    const rest = (rounded % size) / next;
    return `${Math.floor(rounded / size)} ${unit}` + (rest > 0 ? ` ${rest} ${lower}` : "");
  }
  return `${whole} s`;
}

// call_centre reads "Call centre".
export function label(name: string): string {
  if (name === "") return "Unknown";
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// Own names: engines disagree about "Sep" and "Sept".
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// Times are shown in UTC, as days are counted.
export function day(at: Date | string): string {
  const t = new Date(at);
  return `${t.getUTCDate()}\u00a0${months[t.getUTCMonth()]}`;
}

export function dayAndYear(at: Date | string): string {
  return `${day(at)}\u00a0${new Date(at).getUTCFullYear()}`;
}

export function clock(at: Date | string): string {
  return new Date(at).toISOString().slice(11, 19);
}

// "10:42:16" today, "3 Sep 10:42:16" this year, with the year before that.
export function moment(at: Date | string, now: Date | string): string {
  const a = new Date(at).toISOString();
  const n = new Date(now).toISOString();
  if (a.slice(0, 10) === n.slice(0, 10)) return clock(at);
  return `${a.slice(0, 4) === n.slice(0, 4) ? day(at) : dayAndYear(at)} ${clock(at)}`;
}

export function since(at: Date | string, now: Date | string): string {
  return duration(Math.max(0, (new Date(now).getTime() - new Date(at).getTime()) / 1000));
}
