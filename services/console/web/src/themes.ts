// Light, dark, or what the system says.
export type Theme = "system" | "light" | "dark";

export const themes: readonly Theme[] = ["system", "light", "dark"];

const key = "cairn-theme";

export function storedTheme(): Theme {
  try {
    const value = localStorage.getItem(key);
    return themes.find((t) => t === value) ?? "system";
  } catch {
    return "system"; // storage can be forbidden
  }
}

export function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

export function storeTheme(theme: Theme): void {
  applyTheme(theme);
  try {
    if (theme === "system") localStorage.removeItem(key);
    else localStorage.setItem(key, theme);
  } catch {
    // It still holds for this visit.
  }
}
