import { expect, test, vi } from "vitest";
import { rowOf } from "../../../../src/extension/rows/machine.ts";
import { nextTickMs } from "../../../../src/extension/machines/tick.ts";
import { machineTooltip } from "../../../../src/extension/machines/tooltip.ts";
import type { MachineState } from "../../../../src/protocol/machines.ts";
import { checkpoint, diagnosis, machine, nowMs } from "../samples.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const ago = (seconds: number): number => nowMs - seconds * 1000;

const rows: [MachineState, string, string, string][] = [
  [
    { kind: "creating", step: "image", sinceMs: ago(3) },
    "creating: image · 3 s",
    "loading~spin",
    "machine.creating",
  ],
  [
    { kind: "starting", stage: "kernel", sinceMs: ago(4) },
    "starting: kernel · 4 s",
    "loading~spin",
    "machine.starting",
  ],
  [
    { kind: "running", sinceMs: ago(12) },
    "running · 2 CPU · 2 GB · 12 s",
    "vm-running",
    "machine.running",
  ],
  [
    { kind: "unready", sinceMs: ago(70), diagnosis: diagnosis() },
    "not reachable: services · 2 CPU · 2 GB · 1 min",
    "warning",
    "machine.unready",
  ],
  [
    { kind: "paused", sinceMs: ago(3600) },
    "paused · 2 CPU · 2 GB · 1 h 0 min",
    "debug-pause",
    "machine.paused",
  ],
  [
    {
      kind: "paused",
      sinceMs: ago(3),
      failure: { kind: "failed", code: "host.diskFull", message: "Full." },
    },
    "paused: the disk is full · 2 CPU · 2 GB · 3 s",
    "warning",
    "machine.paused",
  ],
  [
    { kind: "stopping", step: "terminate", sinceMs: ago(9) },
    "ending it · 9 s",
    "loading~spin",
    "machine.stopping",
  ],
  [
    { kind: "stopped", reason: "requested" },
    "stopped · 2 CPU · 2 GB",
    "vm-outline",
    "machine.stopped",
  ],
  [
    { kind: "stopped", reason: "crashed" },
    "ended unexpectedly · 2 CPU · 2 GB",
    "error",
    "machine.stopped",
  ],
  [
    { kind: "stopped", reason: "suspended" },
    "suspended",
    "save",
    "machine.suspended",
  ],
  [{ kind: "deleting" }, "being deleted", "loading~spin", "machine.deleting"],
];

test.each(rows)("a row of %o", (state, description, icon, context) => {
  const row = rowOf(machine({ state }), nowMs);
  expect(row).toMatchObject({
    label: "debian-12",
    description,
    icon,
    context,
  });
  expect(row.spoken).toBe(
    `debian-12, ${description.replaceAll(" · ", ", ").replace("2 CPU, 2 GB", "2 CPU · 2 GB")}`,
  );
});

test("a clone of an outdated image is flagged (B6)", () => {
  const stale = machine({
    image: { name: "debian-12", digest: "sha256:aa", stale: true },
  });
  expect(rowOf(stale, nowMs).description).toContain("image outdated");
  expect(machineTooltip(stale, nowMs)).toContain("outdated");
});

test("a tooltip tells address, acceleration with its reason, and the stages of the boot", () => {
  const text = machineTooltip(
    machine({
      state: { kind: "running", sinceMs: ago(5) },
      runtime: {
        pid: 4711,
        startedAtMs: ago(65),
        way: "warm",
        accelerator: "tcg",
        acceleratorReason: "KVM opens, but the trial guest ran no code",
        sshPort: 40022,
        consoleSocket: "/data/run/0123456789ab.console",
        forwards: [{ hostPort: 18080, guestPort: 80, protocol: "tcp" }],
        network: {
          backend: "user",
          hostLoopbackReachable: true,
          reason: "passt is not installed.",
        },
      },
      boot: [
        { stage: "resume", atMs: 40 },
        { stage: "handoff", atMs: 240 },
        { stage: "ready", atMs: 920 },
      ],
    }),
    nowMs,
    {
      cpuSeconds: 9,
      cpuShare: 0.314,
      memoryMiB: 2048,
      memoryUsedMiB: 312,
      diskUsedBytes: 84 * 1024 ** 2,
      diskVirtualBytes: 20 * 1024 ** 3,
      uptimeSeconds: 65,
    },
  );
  expect(text).toContain("31 % CPU · 312 MB memory · 84 MB on disk");
  expect(text).toContain("`127.0.0.1:40022`");
  expect(text).toContain("TCG — KVM opens, but the trial guest ran no code");
  expect(text).toContain("18080 → 80");
  expect(text).toContain("warm clone of a template, without a boot");
  expect(text).toContain(
    "saved state 0.0 s · own identity 0.2 s · ready 0.9 s",
  );
  expect(text).toContain("1 min");
  expect(text).toContain("can reach services on this computer");
});

test("a suspended machine tells what its memory takes, a failed start of it that it failed", () => {
  const suspended = { at: "2026-03-01T11:00:00Z", sizeBytes: 210 * 1024 ** 2 };
  const asleep = machine({
    state: { kind: "stopped", reason: "suspended" },
    suspended,
  });
  expect(rowOf(asleep, nowMs).description).toBe("suspended · 210 MB");
  expect(machineTooltip(asleep, nowMs)).toContain("210 MB on disk");
  const failed = machine({
    state: { kind: "stopped", reason: "startFailed" },
    suspended,
  });
  expect(rowOf(failed, nowMs)).toMatchObject({
    description: "did not start · 2 CPU · 2 GB",
    context: "machine.stopped",
  });
});

test("a tooltip tells generation, parent and checkpoints", () => {
  const parent = { id: "00", name: "web" };
  const fork = machine({
    generation: 2,
    parent,
    checkpoints: [checkpoint(), checkpoint({ id: "2" })],
  });
  expect(machineTooltip(fork, nowMs)).toContain("2, forked from `web`");
  expect(machineTooltip(fork, nowMs)).toContain("2 · 480 MB on disk");
  const branch = machine({
    generation: 1,
    parent: { ...parent, checkpoint: "0a1b2c3d" },
  });
  expect(machineTooltip(branch, nowMs)).toContain(
    "1, branched from a checkpoint of `web`",
  );
});

test("a tooltip tells why a machine is not running, and no word of it becomes Markdown", () => {
  const text = machineTooltip(
    machine({
      state: {
        kind: "stopped",
        reason: "startFailed",
        failure: {
          kind: "failed",
          code: "machines.startFailed",
          message: "QEMU said [click](http://x) *now*.",
          remedy: "Look at the log.",
        },
      },
    }),
    nowMs,
  );
  expect(text).toContain(
    String.raw`QEMU said \[click\]\(http://x\) \*now\*. Look at the log.`,
  );
});

test("ages are drawn each second while they pass, each tenth while they are young, then each minute", () => {
  const running = (seconds: number): MachineState => ({
    kind: "running",
    sinceMs: nowMs - seconds * 1000,
  });
  const starting: MachineState = {
    kind: "starting",
    stage: "init",
    sinceMs: nowMs - 90_250,
  };
  expect(nextTickMs([running(12.4)], nowMs)).toBe(7_600);
  expect(nextTickMs([running(90)], nowMs)).toBe(30_000);
  expect(nextTickMs([running(90), starting], nowMs)).toBe(750);
  expect(
    nextTickMs([{ kind: "stopped", reason: "created" }], nowMs),
  ).toBeUndefined();
});
