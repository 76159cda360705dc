// Runs before the page is drawn, so that a chosen theme does not flash.
import { applyTheme, storedTheme } from "./themes";

applyTheme(storedTheme());
