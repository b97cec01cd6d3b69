import { visible } from "../../../base/visible.ts";
import type { SelfTestLine, Transcript } from "../../../protocol/selfTest.ts";

/** A transcript as Markdown, for people. Pure. */
export function transcriptPage(transcript: Transcript): string {
  const { host, machine, guest, lines } = transcript;
  const holding = lines.filter(({ holds }) => holds).length;
  return `${[
    "# Self-test of a guest",
    "",
    `**${String(holding)} of ${String(lines.length)} lines hold.** Look through it before you send it to anybody: what looks like a secret was taken out, and what does not look like one was not.`,
    "",
    ...[
      ["Asked", `${transcript.startedAt}, in ${inSeconds(transcript.tookMs)}`],
      ["Guesthouse", transcript.guesthouse],
      [
        "Host",
        `${host.system}, QEMU ${host.qemu}, ${host.accelerator}, network by ${host.network}`,
      ],
      [
        "Machine",
        `${machine.image} (${machine.imageDigest}), ${String(machine.cpus)} processors, ${String(machine.memoryMiB)} MiB, generation ${String(machine.generation)}, came up ${machine.way}`,
      ],
      [
        "Guest",
        [guest.name ?? "unknown", guest.id, guest.kernel]
          .filter((each) => each !== undefined)
          .join(", "),
      ],
    ].map(([what, text]) => `- ${what ?? ""}: ${inText(text ?? "")}`),
    "",
    "| | Line | What holds | Took | Why not |",
    "| --- | --- | --- | --- | --- |",
    ...lines.map(
      ({ id, title, holds, tookMs, reason }) =>
        `| ${holds ? "✓" : "✗"} | \`${id}\` | ${inCell(title)} | ${inSeconds(tookMs)} | ${inCell(reason ?? "")} |`,
    ),
    "",
    "## Questions and answers",
    ...lines.flatMap(details),
  ].join("\n")}\n`;
}

const details = (line: SelfTestLine): string[] => [
  "",
  `### ${line.id}`,
  "",
  inText(line.judged),
  "",
  ...block(line.asked),
  "",
  ...block(line.output === "" ? "(no answer)" : line.output),
];

const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

const inText = (text: string): string =>
  visible(text).replaceAll(/[\\`*_<>[\]]/g, "\\$&");
const inCell = (text: string): string => inText(text).replaceAll("|", "\\|");

/** Fenced by more backticks than it holds, so that nothing in it ends it. */
function block(text: string): string[] {
  const longest = Math.max(
    2,
    ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length),
  );
  const fence = "`".repeat(longest + 1);
  return [fence, ...text.split(/\r?\n/).map(visible), fence];
}
