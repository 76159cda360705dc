import { useState } from "preact/hooks";
import type { JourneyMap } from "./api";
import type { State } from "./app";
import { clock, moment, since } from "./format";
import { storedTheme, storeTheme, themes, type Theme } from "./themes";

interface Props {
  map: JourneyMap | null;
  state: State;
  paused: boolean;
  onPause: (paused: boolean) => void;
}

export function Top({ map, state, paused, onPause }: Props) {
  return (
    <header class="top">
      <a class="brand" href="/" aria-label="cairn, home">
        <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
          <path d="M8.4 1.8h3.4a2 2 0 0 1 0 4H8.4a2 2 0 0 1 0-4ZM6.6 7.4h7.6a2.3 2.3 0 0 1 0 4.6H6.6a2.3 2.3 0 0 1 0-4.6ZM4.4 13.6h11.2a2.5 2.5 0 0 1 0 5H4.4a2.5 2.5 0 0 1 0-5Z" />
        </svg>
        cairn
      </a>
      <span class="space">{map?.namespace}</span>
      <nav aria-label="Views">
        <a href="/" aria-current="page">Journey map</a>
      </nav>
      <Status map={map} state={state} />
      <div class="tools">
        <button type="button" class="quiet" aria-pressed={paused} onClick={() => onPause(!paused)} title="The page refreshes every 5 seconds">
          {paused ? "Resume" : "Pause"}
        </button>
        <ThemeButton />
      </div>
    </header>
  );
}

function Status({ map, state }: { map: JourneyMap | null; state: State }) {
  let word = "";
  let detail = "";
  if (state === "loading") word = "Loading";
  else if (map && state === "stale") [word, detail] = ["Stale", `as of ${moment(map.generated_at, new Date())} UTC`];
  else if (map && state === "paused") [word, detail] = ["Paused", `as of ${clock(map.generated_at)} UTC`];
  else if (map) {
    word = "Live";
    if (map.data_as_of) detail = `last arrival ${since(map.data_as_of, map.generated_at)} ago`;
  }
  return (
    <p class="live">
      {word && <i aria-hidden="true" />}
      <b role="status">{word}</b>
      <span>{detail}</span>
    </p>
  );
}

const themeNames: Record<Theme, string> = { system: "Auto", light: "Light", dark: "Dark" };

function ThemeButton() {
  const [theme, setTheme] = useState(storedTheme);
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "system";
  return (
    <button
      type="button"
      class="quiet"
      aria-label={`Theme: ${themeNames[theme]}. Change to ${themeNames[next]}.`}
      onClick={() => {
        storeTheme(next);
        setTheme(next);
      }}
    >
      <span class="dim">Theme</span> {themeNames[theme]}
    </button>
  );
}
