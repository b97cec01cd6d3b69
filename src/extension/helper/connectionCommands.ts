import { join } from "node:path";
import { env, l10n, Uri, version, window, workspace } from "vscode";
import type { CommandsOf } from "../window/commandIds.ts";
import { block } from "../rows/markdown.ts";
import type { Connection } from "./connection.ts";

/** Commands on the helper itself. */
export function helperCommands(deps: {
  readonly connection: Connection;
  readonly home: () => Promise<string>;
  readonly ownVersion: string;
}): CommandsOf<
  | "guesthouse.refresh"
  | "guesthouse.restartHelper"
  | "guesthouse.showHelperLog"
  | "guesthouse.reportProblem"
> {
  const { connection, home, ownVersion } = deps;
  const logFile = async (): Promise<Uri> =>
    Uri.file(join(await home(), "logs", "helper.log"));
  return {
    "guesthouse.refresh": () => connection.refresh(),
    "guesthouse.restartHelper": () => connection.restart(),
    async "guesthouse.showHelperLog"() {
      await window.showTextDocument(await logFile(), { preview: true });
    },
    async "guesthouse.reportProblem"() {
      const { state } = connection;
      const tail = await lastLines(await logFile(), 60);
      const text = [
        l10n.t(
          "Describe what you did and what happened. Read what follows before you pass it on: it may name files and VMs.",
        ),
        block([
          `Guesthouse ${ownVersion}`,
          `${env.appName} ${version}`,
          `${process.platform} ${process.arch}`,
          state.kind === "connected"
            ? `helper ${state.status.version}, protocol ${String(state.status.protocol)}`
            : `helper: ${state.kind}`,
        ]),
        block(tail),
        "",
      ].join("\n\n");
      const page = { language: "markdown", content: text };
      await window.showTextDocument(await workspace.openTextDocument(page));
    },
  };
}

async function lastLines(file: Uri, count: number): Promise<string[]> {
  try {
    const text = new TextDecoder().decode(await workspace.fs.readFile(file));
    return text.trimEnd().split("\n").slice(-count);
  } catch {
    return [l10n.t("There is no log of the helper.")];
  }
}
