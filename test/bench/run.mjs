// npm run bench [name…]: bundles the benches and runs them, all or those named.
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import esbuild from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Sources find the project from where they lie, not from where the bundle lies. */
const ownPlaces = {
  name: "own-places",
  setup(build) {
    build.onLoad(
      { filter: /[\\/](?:src|test|scripts)[\\/].*\.m?[jt]s$/ },
      async ({ path }) => ({
        contents: (await readFile(path, "utf8")).replaceAll(
          "import.meta.url",
          JSON.stringify(pathToFileURL(path).href),
        ),
        loader: "ts",
      }),
    );
  },
};
const folder = join(root, "dist-test", "bench");
try {
  const outfile = join(folder, "bench.mjs");
  await esbuild.build({
    entryPoints: [join(root, "test/bench/bench.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    // As in the product's bundles: its main file is UMD.
    alias: { "jsonc-parser": "jsonc-parser/lib/esm/main.js" },
    external: [
      "ssh2",
      "cpu-features",
      // Found by what the editor's tests start, too; and a bundler can't be bundled.
      "esbuild",
      "@vscode/*",
    ],
    plugins: [ownPlaces],
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: "warning",
  });
  const { runBenches } = await import(pathToFileURL(outfile).href);
  await runBenches(root, process.argv.slice(2));
} finally {
  await rm(folder, { recursive: true, force: true });
}
