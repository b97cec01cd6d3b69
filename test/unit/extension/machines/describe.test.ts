import { expect, test, vi } from "vitest";
import { rowOf } from "../../../../src/extension/machines/describe.ts";
import { nextTickMs } from "../../../../src/extension/machines/tick.ts";
import { machineTooltip } from "../../../../src/extension/machines/tooltip.ts";
import type { MachineState } from "../../../../src/protocol/machines.ts";
import { diagnosis, machine, nowMs } from "../samples.ts";

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
        accelerator: "tcg",
        acceleratorReason: "KVM opens, but the trial guest ran no code",
        sshPort: 40022,
        consoleSocket: "/data/run/0123456789ab.console",
        forwards: [{ hostPort: 18080, guestPort: 80, protocol: "tcp" }],
        network: { backend: "user", hostLoopbackReachable: true },
      },
      boot: [
        { stage: "kernel", atMs: 1240 },
        { stage: "ready", atMs: 6200 },
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
  expect(text).toContain("kernel 1.2 s · ready 6.2 s");
  expect(text).toContain("1 min");
  expect(text).toContain("can reach services on this computer");
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
