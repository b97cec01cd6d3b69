import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { version } from "../../src/base/version.ts";
import type { RpcClient } from "../../src/rpc/call.ts";
import { ensureHelper } from "../../src/rpc/launch.ts";
import { type Household, household } from "../vm/household.ts";
import { median, milliseconds, type Row, spread } from "./report.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);

/** What is copied: files, and bytes of each. Random, so that nothing shrinks on its way. */
const workspaces = [
  { name: "10,000 files", files: 10_000, bytes: 8 * 1024 },
  { name: "200 MB", files: 50, bytes: 4 * 1000 * 1000 },
];

/**
 * A repository of the host ready in a guest, its first `git status` done: by a lent disk and by the stream, against
 * `rsync -a` over the same ssh; and the same once more without a change. Turn and turn about in one guest.
 */
export async function benchCopyIn(root: string): Promise<Row[]> {
  const house = await household();
  const folder = await mkdtemp(join(tmpdir(), "gh-copy-in-"));
  // By the command line first: the helper shall make no template in the midst of it.
  await house.json(["image", "pull", "debian-12"]);
  const { client } = await ensureHelper({
    home: house.home,
    command: [process.execPath, join(root, "dist", "helper.js")],
    version,
    client: "window",
  });
  try {
    await house.json(["create", "bench", "--memory", "1G", "--cpus", "2"]);
    const rows: Row[] = [];
    for (const { name, files, bytes } of workspaces) {
      const here = join(folder, String(files));
      await makeRepository(here, files, bytes);
      rows.push(...(await ofWorkspace(name, here, house, client)));
      await rm(here, { recursive: true });
    }
    return rows;
  } finally {
    client.close();
    await house[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeRepository(
  here: string,
  files: number,
  bytes: number,
): Promise<void> {
  for (let i = 0; i < files; i++) {
    const inside = join(here, `d${String(Math.floor(i / 100))}`);
    if (i % 100 === 0) await mkdir(inside, { recursive: true });
    await writeFile(join(inside, `f${String(i)}`), randomBytes(bytes));
  }
  const git = (...args: string[]) =>
    execa("git", [
      ...["-C", here, "-c", "user.name=b", "-c", "user.email=b@example.com"],
      // Else a commit of so many files tidies up in the background.
      ...["-c", "gc.auto=0", "-c", "maintenance.auto=false"],
      ...args,
    ]);
  await git("init", "-q");
  await git("add", "-A");
  await git("commit", "-qm", "one");
  await git("gc", "-q");
}

type Way = "rsync" | "stream" | "disk";

async function ofWorkspace(
  name: string,
  here: string,
  house: Household,
  client: RpcClient,
): Promise<Row[]> {
  const first: Record<Way, number[]> = { rsync: [], stream: [], disk: [] };
  const again: Record<Way, number[]> = { rsync: [], stream: [], disk: [] };
  const inGuest = async (command: string): Promise<void> => {
    const { exitCode, stdout, stderr } = await house.ssh("gh-bench", [command]);
    if (exitCode !== 0 || stdout !== "")
      throw new Error(`${command}: ${stdout.slice(0, 500)}${stderr}`);
  };
  const copy = async (way: Way): Promise<void> => {
    if (way === "rsync") {
      await execa("rsync", [
        ...["-a", "-e", `ssh -F ${house.sshConfig}`],
        ...[`${here}/`, "gh-bench:rsync/"],
      ]);
      return;
    }
    const done = await client.call("copying.folder", {
      ...{ machine: "bench", folder: here, target: way },
      disk: way === "disk",
    });
    if (done.files > 0 && done.way !== way)
      throw new Error(`it went by ${done.way}`);
  };
  for (let i = 0; i < rounds; i++)
    for (const way of ["rsync", "stream", "disk"] as const) {
      first[way].push(
        await timed(async () => {
          await copy(way);
          await inGuest(`git -C ${way} status --porcelain`);
        }),
      );
      await inGuest("sync");
      again[way].push(await timed(() => copy(way)));
      await inGuest(`rm -rf ${way} && sync`);
      // A run that is cut short has said what it knew.
      process.stderr.write(
        `  ${name}, ${way}: ${milliseconds(first[way].at(-1) ?? NaN)}, again ${milliseconds(again[way].at(-1) ?? NaN)}\n`,
      );
    }
  const row = (
    what: string,
    of: Record<Way, number[]>,
    way: Way,
    target: string,
  ): Row => ({
    what: `${name}: ${what}`,
    value: spread(of[way]),
    against:
      way === "rsync"
        ? ""
        : `${(median(of[way]) / median(of.rsync)).toFixed(2)} × rsync (target ${target})`,
  });
  return [
    row("rsync -a, git status done", first, "rsync", ""),
    row("by stream", first, "stream", "1.0"),
    row("by disk", first, "disk", "0.7"),
    row("again: rsync -a", again, "rsync", ""),
    row("again: ours", again, "disk", "1.2"),
  ];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
