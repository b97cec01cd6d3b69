import { join, resolve } from "node:path";
import type { Command } from "commander";
import { makePrivateFolder, replaceFile } from "../../../base/files.ts";
import { visible } from "../../../base/visible.ts";
import type { Transcript } from "../../../protocol/selfTest.ts";
import { exitCodes } from "../terminal/exitCodes.ts";
import { seconds } from "../terminal/format.ts";
import { transcriptPage } from "./selfTestPage.ts";
import { withHelper } from "../terminal/session.ts";

interface Flags {
  readonly json?: boolean;
  readonly out: string;
}

/** `guesthouse selftest`: what a guest keeps of the contract, with a transcript of it. Exit code 1 when it isn't all. */
export function addSelfTestCommand(program: Command): void {
  program
    .command("selftest")
    .argument("<name>", "a machine that runs")
    .description(
      "ask a guest everything that is expected of one; meant for Windows, so Linux fails the lines of Windows",
    )
    .option(
      "--out <folder>",
      "where the transcript is written, as JSON and as Markdown, to be sent to us",
      ".",
    )
    .option("--json", "print JSON")
    .action(async (name: string, flags: Flags) =>
      withHelper(
        flags,
        async ({ client, progress, signal }) => {
          progress.show("asking the guest; this takes up to some minutes");
          const { transcript } = await client.call(
            "selfTest.run",
            { machine: name },
            signal,
          );
          const written = await writeTranscript(transcript, resolve(flags.out));
          if (!transcript.holds) process.exitCode = exitCodes.failed;
          return { ...transcript, written };
        },
        resultText,
      ),
    );
}

async function writeTranscript(
  transcript: Transcript,
  folder: string,
): Promise<string[]> {
  await makePrivateFolder(folder);
  const stamp = transcript.startedAt.replaceAll(/[:.]/g, "-");
  const path = (ending: string): string =>
    join(folder, `guesthouse-selftest-${stamp}.${ending}`);
  await replaceFile(path("json"), `${JSON.stringify(transcript, null, 2)}\n`);
  await replaceFile(path("md"), transcriptPage(transcript));
  return [path("json"), path("md")];
}

function resultText({
  lines,
  tookMs,
  written,
}: Transcript & { readonly written: readonly string[] }): string {
  const holding = lines.filter(({ holds }) => holds).length;
  return [
    ...lines.map(
      ({ id, title, holds, reason }) =>
        `${holds ? "✓" : "✗"} ${id}: ${title}${reason === undefined ? "" : `\n  → ${visible(reason)}`}`,
    ),
    "",
    `${String(holding)} of ${String(lines.length)} hold, asked in ${seconds(tookMs)}.`,
    ...written.map((path) => `Written: ${path}`),
  ].join("\n");
}
