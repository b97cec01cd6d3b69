#!/usr/bin/env node
// `npm run docs`: writes the pages of docs/ that are made from the code (scripts/docs/pages.ts).
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import esbuild from "esbuild";

const root = resolve(import.meta.dirname, "..");
// Beside node_modules, where the packages that it leaves out are found.
const bundle = join(root, "dist-test", "docs.mjs");

await esbuild.build({
  entryPoints: [join(root, "scripts/docs/pages.ts")],
  outfile: bundle,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  packages: "external",
  define: {
    "import.meta.dirname": JSON.stringify(join(root, "scripts/docs")),
    __dirname: JSON.stringify(join(root, "dist")),
  },
  logLevel: "warning",
});
const { writtenPages } = await import(pathToFileURL(bundle).href);
for (const { path, text } of await writtenPages()) {
  const file = join(root, path);
  const before = await readFile(file, "utf8").catch(() => undefined);
  if (before === text) continue;
  await writeFile(file, text);
  console.log(`written: ${path}`);
}
