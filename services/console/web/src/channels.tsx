import { useRef, useState } from "preact/hooks";
import type { Cell, JourneyMap } from "./api";
import { count, duration, label, share, shown } from "./format";

// Lower bounds of the five steps of heat, as shares of the stage's profiles.
const steps: readonly number[] = [0, 0.05, 0.15, 0.35, 0.6];

export function heat(v: number | null): number {
  if (v === null || v === 0) return 0;
  return steps.findLastIndex((lower) => v >= lower) + 1;
}

// Unique profiles by channel and stage. Arrow keys move between cells; the line
// above tells all about the one under the pointer or the focus.
export function Channels({ map, chosen }: { map: JourneyMap; chosen: string }) {
  const rows = useStableOrder(map);
  const [at, setAt] = useState<[row: number, column: number]>([0, Math.max(map.stages.findIndex((s) => s.stage === chosen), 0)]);
  const [detail, setDetail] = useState("");
  const table = useRef<HTMLTableElement>(null);

  const move = (e: KeyboardEvent) => {
    const step = moves[e.key];
    if (!step) return;
    e.preventDefault();
    const row = Math.min(Math.max(at[0] + step[0], 0), rows.length - 1);
    const column = Math.min(Math.max(at[1] + step[1], 0), map.stages.length - 1);
    setAt([row, column]);
    table.current?.querySelector<HTMLElement>(`[data-at="${row}-${column}"]`)?.focus();
  };

  return (
    <section class="lane chan" aria-label="Channels">
      <div class="lh">
        <span class="lt">Channels</span>
        <span class="ln" aria-hidden={detail === "" ? undefined : true}>{detail || "Unique profiles while in the stage"}</span>
      </div>
      <Legend />
      <table class="heat" role="grid" ref={table} onKeyDown={move} onMouseLeave={() => setDetail("")}>
        <caption class="sr">Unique profiles by channel and stage</caption>
        <colgroup>
          <col />
          {map.stages.map((s) => <col key={s.stage} />)}
        </colgroup>
        <thead class="sr">
          <tr>
            <th scope="col">Channel</th>
            {map.stages.map((s) => <th key={s.stage} scope="col">{label(s.stage)}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, r) => (
            <tr key={row.channel} data-channel={row.channel}>
              <th scope="row">{label(row.channel)}</th>
              {row.cells.map((cell, c) => {
                const text = describe(row.channel, cell, map.min_count);
                return (
                  <td
                    key={cell.stage}
                    class={`h${cell.profiles === null ? 1 : heat(cell.share)}` + (cell.stage === chosen ? " sel" : "")}
                    data-stage={cell.stage}
                    data-at={`${r}-${c}`}
                    tabIndex={at[0] === r && at[1] === c ? 0 : -1}
                    aria-label={text}
                    onFocus={() => {
                      setAt([r, c]);
                      setDetail(text);
                    }}
                    onBlur={() => setDetail("")}
                    onMouseEnter={() => setDetail(text)}
                  >
                    {shown(cell.profiles, map.min_count)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const moves: Record<string, readonly [number, number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  Home: [0, -1e6],
  End: [0, 1e6],
};

function describe(channel: string, cell: Cell, smallest: number): string {
  const where = `${label(channel)}, ${label(cell.stage).toLowerCase()}: `;
  if (cell.profiles === null || cell.touchpoints === null) return where + `fewer than ${smallest} profiles`;
  if (cell.profiles === 0) return where + "none";
  return (
    where +
    `${count(cell.profiles)} ${cell.profiles === 1 ? "profile" : "profiles"}, ${share(cell.share)} of the stage, ` +
    `${count(cell.touchpoints)} ${cell.touchpoints === 1 ? "touchpoint" : "touchpoints"}` +
    (cell.mean_dwell_seconds === null ? "" : `, mean dwell ${duration(cell.mean_dwell_seconds)}`)
  );
}

function Legend() {
  return (
    <p class="legend">
      {["under 5%", "5", "15", "35", "60% or more of the stage’s profiles"].map((text, i) => (
        <span key={text}>
          <i class={`h${i + 1}`} aria-hidden="true" />
          {text}
        </span>
      ))}
    </p>
  );
}

// Rows keep the places they had when the page was opened, so that none jumps on
// a refresh; a new channel comes last.
function useStableOrder(map: JourneyMap) {
  const order = useRef<string[]>([]);
  for (const row of map.channels) {
    if (!order.current.includes(row.channel)) order.current.push(row.channel);
  }
  return order.current.flatMap((name) => map.channels.find((row) => row.channel === name) ?? []);
}
