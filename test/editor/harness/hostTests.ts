import { chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runTests } from "@vscode/test-electron";
import { build } from "esbuild";
import { z } from "zod";

const checkout = fileURLToPath(new URL("../../..", import.meta.url));
const outDir = join(checkout, "dist-test");

const testSchema = z.object({
  title: z.string(),
  state: z.enum(["passed", "failed", "skipped"]),
  error: z.string().optional(),
  durationMs: z.number(),
});
export const hostReportSchema = z.array(testSchema);
export type HostTest = z.infer<typeof testSchema>;

/** Bundles a mocha suite for the extension host, and the `code` shim; where the two files are. */
export async function bundleHostTests(
  entry: string,
): Promise<{ suite: string; shim: string }> {
  await mkdir(outDir, { recursive: true });
  const suite = join(outDir, "host.js");
  const shim = join(outDir, "code.mjs");
  const shared = {
    bundle: true,
    platform: "node",
    target: "node20",
    packages: "external",
    logLevel: "warning",
  } as const;
  await build({
    ...shared,
    entryPoints: [entry],
    outfile: suite,
    format: "cjs",
    external: ["vscode"],
  });
  await build({
    ...shared,
    entryPoints: [fileURLToPath(new URL("codeShim.ts", import.meta.url))],
    outfile: shim,
    format: "esm",
    banner: { js: "#!/usr/bin/env node" },
  });
  await chmod(shim, 0o755);
  return { suite, shim };
}

export interface HostTestOptions {
  /** The suite's entry file; it exports `run()`. */
  entry: string;
  /** The extension under test and others beside it; default: the checkout. */
  extensionDevelopmentPath?: string[];
  /** Variables for the extension host; through the shim only those called GUESTHOUSE_… arrive. */
  env?: Readonly<Record<string, string>>;
  folder?: string;
}

/**
 * Runs a mocha suite inside a real extension host by the official runner. Desktop VS Code is used when
 * VSCODE_EXECUTABLE names it, else VS Code's server in a browser.
 * @returns every test of the suite as mocha saw it
 */
export async function runHostTests(
  options: HostTestOptions,
): Promise<HostTest[]> {
  const { suite, shim } = await bundleHostTests(options.entry);
  const reportDir = await mkdtemp(join(tmpdir(), "gh-host-"));
  const reportFile = join(reportDir, "report.json");
  try {
    const failed = await runTests({
      vscodeExecutablePath: process.env["VSCODE_EXECUTABLE"] ?? shim,
      extensionDevelopmentPath: options.extensionDevelopmentPath ?? [checkout],
      extensionTestsPath: suite,
      extensionTestsEnv: { ...options.env, GUESTHOUSE_HOST_REPORT: reportFile },
      launchArgs: options.folder === undefined ? [] : [options.folder],
    }).then(
      () => undefined,
      (error: unknown) =>
        error instanceof Error ? error : new Error(String(error)),
    );
    const report = await readFile(reportFile, "utf8").catch(() => undefined);
    if (report === undefined)
      throw new Error("The extension host ended without reporting any test.", {
        cause: failed,
      });
    const tests = hostReportSchema.parse(JSON.parse(report));
    if (failed !== undefined && !tests.some(({ state }) => state === "failed"))
      throw failed;
    return tests;
  } finally {
    await rm(reportDir, { recursive: true, force: true });
  }
}
