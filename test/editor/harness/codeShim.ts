/**
 * Stands in for the `code` binary that @vscode/test-electron starts, on machines without desktop VS Code: it runs the
 * extension tests in VS Code's server and a browser, and ends with their exit code.
 *
 * `runTests` relies on three things of the binary: the arguments `--extensionDevelopmentPath=` and
 * `--extensionTestsPath=`, a folder to open as a plain argument, and the exit code.
 */
import { format } from "node:util";
import { startBrowser, onlyPage, workbenchUrl } from "./browser.ts";
import { packFolder } from "./packFolder.ts";
import { startEditorServer, type EditorServer } from "./server.ts";

/** The values of an argument that may be given more than once. */
function argumentsNamed(name: string): string[] {
  const prefix = `--${name}=`;
  const found = process.argv.filter((word) => word.startsWith(prefix));
  if (found.length === 0) throw new Error(`The argument ${prefix} is missing.`);
  return found.map((word) => word.slice(prefix.length));
}

/** Runs the tests in a page; their exit code. The page calls these two functions when it was started for tests. */
async function runInPage(server: EditorServer): Promise<number> {
  const context = await startBrowser(server);
  try {
    const page = onlyPage(context, (line) => process.stderr.write(`${line}\n`));
    const folder = process.argv.slice(2).find((word) => !word.startsWith("-"));
    const remote = (path: string): string =>
      `vscode-remote://127.0.0.1:${server.port}${path}`;
    const url = workbenchUrl(server, {
      ...(folder === undefined ? {} : { folder }),
      payload: [
        ["extensionDevelopmentPath", remote(underTest)],
        ["extensionTestsPath", remote(suite)],
      ],
    });
    await page.exposeFunction(
      "codeAutomationLog",
      (_type: string, values: unknown[]) => {
        process.stdout.write(`${format(...values)}\n`);
      },
    );
    const exitCode = new Promise<number>((resolve, reject) => {
      page.once("crash", () => reject(new Error("The page crashed.")));
      page.once("close", () =>
        reject(new Error("The page was closed before the tests ended.")),
      );
      void page.exposeFunction("codeAutomationExit", (code: number) =>
        resolve(code),
      );
    });
    await page.goto(url);
    return await exitCode;
  } finally {
    await context.close();
  }
}

const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) =>
    name.startsWith("GUESTHOUSE_"),
  ),
) as Record<string, string>;
const [underTest = "", ...beside] = argumentsNamed("extensionDevelopmentPath");
const [suite = ""] = argumentsNamed("extensionTestsPath");
const server = await startEditorServer({
  env,
  extensionTests: true,
  // A page takes one extension under development; the others are installed.
  vsix: await Promise.all(beside.map(packFolder)),
});
try {
  process.exitCode = await runInPage(server);
} catch (error) {
  process.stderr.write(`${String(error)}\n${server.output()}`);
  process.exitCode = 1;
} finally {
  await server.stop();
}
