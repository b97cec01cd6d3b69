#!/usr/bin/env node
// `npm run package [-- --out FILE]`: builds, checks what would ship against a list, and packs the .vsix.
import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildLanding } from "./lib/landing.mjs";
import { ensurePrograms } from "./lib/packages.mjs";
import { landingPrograms } from "./lib/programs.mjs";
import { checkout, ensureBuilt, ensureDependencies } from "./lib/project.mjs";
import { Failure, runMain, say } from "./lib/progress.mjs";
import { run } from "./lib/run.mjs";

/** Everything that belongs in the package; a file that matches none of these is a mistake. */
const shipped = [
  /^package\.json$/,
  /^package\.nls(\.[\w-]+)?\.json$/,
  /^l10n\/bundle\.l10n(\.[\w-]+)?\.json$/,
  /^(readme|changelog)\.md$/i,
  /^license(\.txt|\.md)?$/i,
  /^dist\/(extension|helper|commands|proxy|screen)\.js(\.LEGAL\.txt)?$/,
  /^dist\/devcontainer\/[\w./-]+$/,
  /^dist\/landing\/(amd64|arm64)\/[\w-]+(\.so)?$/,
  /^media\/[\w./-]+\.(png|svg|md|css|js)$/,
  /^resources\/[\w./-]+$/,
];
const expected = [
  "package.json",
  "dist/extension.js",
  "dist/helper.js",
  "dist/commands.js",
  "dist/proxy.js",
  "dist/screen.js",
  "dist/devcontainer/devcontainer.js",
];
const landing = ["landd", "gate", "show", "listen", "session"];

/** Far above what it is, far below what a folder packed by mistake would make of it. */
const largestMiB = 8;

async function main() {
  await ensureDependencies();
  await ensureBuilt();
  await ensurePrograms(landingPrograms, {
    purpose: "compile what leads SSH into a dev container",
  });
  for (const arch of await buildLanding())
    expected.push(...landing.map((name) => `dist/landing/${arch}/${name}`));
  const vsce = join(checkout, "node_modules", "@vscode", "vsce", "vsce");
  const listing = await run(
    process.execPath,
    [vsce, "ls", "--no-dependencies"],
    { cwd: checkout },
  );
  const files = listing.trim().split(/\r?\n/);

  const strays = files.filter(
    (file) => !shipped.some((pattern) => pattern.test(file)),
  );
  const lacking = expected.filter((file) => !files.includes(file));
  if (strays.length > 0 || lacking.length > 0) {
    throw new Failure(
      "The package would not hold what it should.",
      [
        ...strays.map((file) => `${file} does not belong in it`),
        ...lacking.map((file) => `${file} is missing`),
      ].join("; "),
      "Correct .vscodeignore, or the list in scripts/package.mjs when the file is meant to ship.",
    );
  }

  const { name, version } = JSON.parse(
    await readFile(join(checkout, "package.json"), "utf8"),
  );
  const { values } = parseArgs({ options: { out: { type: "string" } } });
  const target = resolve(
    values.out ?? join(checkout, `${name}-${version}.vsix`),
  );
  await run(
    process.execPath,
    [
      vsce,
      "package",
      "--no-dependencies",
      "--no-rewrite-relative-links",
      "--allow-missing-repository",
      "--out",
      target,
    ],
    { cwd: checkout },
  );
  const { size } = await stat(target);
  const sizeMiB = size / 2 ** 20;
  if (sizeMiB > largestMiB) {
    throw new Failure(
      `${target} is ${sizeMiB.toFixed(1)} MiB.`,
      `more than ${largestMiB} MiB was never meant to ship`,
      "Look at its file list: npx vsce ls --no-dependencies --tree",
    );
  }
  say(`${target}: ${files.length} files, ${sizeMiB.toFixed(2)} MiB`);
}

await runMain(main);
