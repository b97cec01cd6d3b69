import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Machine } from "../../src/protocol/machines.ts";
import { type Household, household } from "../vm/household.ts";
import { median, milliseconds, type Row, spread } from "./report.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 4);
const memory = ["--memory", "1G", "--cpus", "2"];

/**
 * From nothing to an authenticated ssh command: `guesthouse create`, which answers when a command of its own has run in
 * the guest, and with one more login of plain `ssh <alias>` after it; against a script that knows QEMU's arguments
 * already and does only what must be done: overlay, QEMU, one ssh after the other until one succeeds. Turn and turn
 * about, so that both see the same machine.
 */
export async function benchColdClone(): Promise<Row[]> {
  const house = await household();
  const ready: number[] = [];
  const ours: number[] = [];
  const floors: number[] = [];
  try {
    await house.json(["image", "pull", "debian-12"]);
    const model = await house.json<Machine>(["create", "model", ...memory]);
    const args = (
      await readFile(`/proc/${String(model.runtime?.pid ?? 0)}/cmdline`, "utf8")
    )
      .split("\0")
      .filter((arg) => arg !== "");
    await house.json(["stop", "model"]);
    for (let i = 0; i < rounds; i++) {
      floors.push(await floor(house, model, args));
      const startedAt = performance.now();
      const machine = await house.json<Machine>([
        "create",
        `clone-${String(i)}`,
        ...memory,
      ]);
      ready.push(performance.now() - startedAt);
      const first = await house.ssh(machine.alias, ["true"]);
      if (first.exitCode !== 0) throw new Error(`ssh failed: ${first.stderr}`);
      ours.push(performance.now() - startedAt);
      await house.json(["delete", machine.name]);
    }
  } finally {
    await house[Symbol.asyncDispose]();
  }
  return [
    {
      what: "bare QEMU to ssh (floor)",
      value: spread(floors),
      against: "1.00 × floor",
    },
    {
      what: "guesthouse create, one authenticated command",
      value: spread(ready),
      against: `${against(ready, floors)} (target 1.1)`,
    },
    {
      what: "and one more login, plain ssh <alias>",
      value: spread(ours),
      against: against(ours, floors),
    },
  ];
}

const against = (ours: readonly number[], floors: readonly number[]): string =>
  `${(median(ours) / median(floors)).toFixed(2)} × floor, ${milliseconds(median(ours) - median(floors))} more`;

async function floor(
  house: Household,
  model: Machine,
  args: readonly string[],
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "gh-floor-"));
  const machine = join(house.home, "machines", model.id);
  const { stdout } = await execa("qemu-img", [
    "info",
    "--output=json",
    join(machine, "disk.qcow2"),
  ]);
  const backing = (JSON.parse(stdout) as { "full-backing-filename": string })[
    "full-backing-filename"
  ];
  await copyFile(join(machine, "seed.iso"), join(folder, "seed.iso"));
  const own = args.map((arg) =>
    arg
      .replaceAll(machine, folder)
      .replaceAll(join(house.home, "run"), folder)
      .replaceAll(model.logPath, join(folder, "console.log")),
  );
  const port = /hostfwd=tcp:127\.0\.0\.1:(\d+)-/.exec(own.join(" "))?.[1] ?? "";
  const [binary, ...rest] = own;
  if (binary === undefined) throw new Error("no QEMU command line");
  const startedAt = performance.now();
  await execa("mkfifo", [
    join(folder, "handoff.in"),
    join(folder, "handoff.out"),
  ]);
  await execa("qemu-img", [
    "create",
    "-q",
    "-f",
    "qcow2",
    "-F",
    "qcow2",
    "-b",
    backing,
    join(folder, "disk.qcow2"),
    "20G",
  ]);
  const qemu = spawn(
    binary,
    rest.filter((arg) => arg !== "-daemonize"),
    { stdio: "ignore" },
  );
  try {
    while (qemu.exitCode === null) {
      const { exitCode } = await execa(
        "ssh",
        [
          "-F",
          "none",
          "-p",
          port,
          "-i",
          join(house.home, "ssh", "id_ed25519"),
          "-o",
          "BatchMode=yes",
          "-o",
          "ConnectTimeout=2",
          "-o",
          `UserKnownHostsFile=${join(house.home, "ssh", "known_hosts")}`,
          "-o",
          `HostKeyAlias=${model.alias}`,
          `${model.user}@127.0.0.1`,
          "true",
        ],
        { reject: false },
      );
      if (exitCode === 0) return performance.now() - startedAt;
      await new Promise((wake) => setTimeout(wake, 50));
    }
    throw new Error(`QEMU ended with ${String(qemu.exitCode)}`);
  } finally {
    if (qemu.kill("SIGKILL")) await once(qemu, "exit");
    await rm(folder, { recursive: true, force: true });
  }
}
