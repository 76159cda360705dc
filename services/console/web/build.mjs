// Builds the page into dist: the same source gives the same bytes, wherever it
// is built. Names of files carry a hash of their content, so they can be cached
// for good; index.html names them.
import { readFile, rm, writeFile, mkdir } from "node:fs/promises";
import { dirname, basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = process.argv[2] ?? join(here, "dist"); // where to: dist, unless an argument says

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: ["src/main.tsx", "src/theme.ts", "src/style.css", "src/mark.svg"],
  outdir: join(dist, "assets"),
  entryNames: "[name]-[hash]",
  bundle: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  legalComments: "inline",
  loader: { ".svg": "copy" },
  jsx: "automatic",
  jsxImportSource: "preact",
  metafile: true,
  logLevel: "warning",
});

const named = {};
for (const [path, output] of Object.entries(result.metafile.outputs)) {
  const entry = output.entryPoint ?? Object.keys(output.inputs)[0];
  named[basename(entry)] = "/assets/" + basename(path);
}
let page = await readFile(join(here, "src/index.html"), "utf8");
page = page.replace(/\{\{(.+?)\}\}/g, (_, name) => {
  if (!named[name]) throw new Error(`index.html names ${name}, which was not built`);
  return named[name];
});
await writeFile(join(dist, "index.html"), page);
for (const [path, output] of Object.entries(result.metafile.outputs)) {
  console.log(String(output.bytes).padStart(8), path);
}
