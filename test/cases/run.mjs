// npm run cases [options] [name…]: bundles the cases and runs them, all or those named; --help says more.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import esbuild from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, "dist-test", `cases-${process.pid}`);
try {
  const outfile = join(folder, "cases.mjs");
  await esbuild.build({
    entryPoints: [join(root, "test/cases/main.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["esbuild"],
    // The scripts find their files from where they lie.
    plugins: [
      {
        name: "scripts-stay",
        setup(build) {
          build.onResolve(
            { filter: /scripts\/.*\.mjs$/ },
            ({ path, resolveDir }) => ({
              path: pathToFileURL(join(resolveDir, path)).href,
              external: true,
            }),
          );
        },
      },
    ],
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: "warning",
  });
  const { main } = await import(pathToFileURL(outfile).href);
  process.exitCode = await main(root, process.argv.slice(2));
} finally {
  await rm(folder, { recursive: true, force: true });
}
