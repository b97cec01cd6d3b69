// npm run bench [name…]: bundles the benches and runs them, all or those named.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import esbuild from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
// As deep below the root as the sources are, which find the project from where they lie.
const folder = join(root, "dist-test", "bench");
try {
  const outfile = join(folder, "bench.mjs");
  await esbuild.build({
    entryPoints: [join(root, "test/bench/bench.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["ssh2", "cpu-features"],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: "warning",
  });
  const { runBenches } = await import(pathToFileURL(outfile).href);
  await runBenches(root, process.argv.slice(2));
} finally {
  await rm(folder, { recursive: true, force: true });
}
