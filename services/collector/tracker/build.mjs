// Builds the tracker into dist/cairn.js: the same source gives the same bytes,
// wherever it is built.
import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = process.argv[2] ?? join(here, "dist"); // where to: dist, unless an argument says
const { version } = JSON.parse(await readFile(join(here, "package.json"), "utf8"));

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
const outfile = join(dist, "cairn.js");
await build({
  absWorkingDir: here,
  entryPoints: ["src/main.ts"],
  outfile,
  bundle: true,
  format: "iife",
  target: ["es2021"], // Chrome 85, Firefox 79, Safari 14
  minify: true,
  tsconfigRaw: { compilerOptions: { strict: false } }, // else a "use strict" that nothing needs
  charset: "utf8",
  define: { VERSION: JSON.stringify(version) },
  logLevel: "warning",
});
const js = await readFile(outfile);
console.log(String(js.length).padStart(8), outfile, `(${gzipSync(js, { level: 9 }).length} with gzip)`);
