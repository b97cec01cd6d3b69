import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  endProcess,
  type LaunchedQemu,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import {
  readHandles,
  writeHandles,
  writeRecord,
} from "../../../src/helper/store/records.ts";
import { pinHostKey, unpinHost } from "../../../src/helper/ssh/knownHosts.ts";
import { ensureUserKey } from "../../../src/helper/ssh/keys.ts";
import { canMount, type SmallDisk, smallDisk } from "../machines/smallDisk.ts";
import {
  atWork,
  counts,
  holds,
  machineId,
  startFrom,
  status,
  writeDisk,
} from "./bareMachine.ts";
import { type Answer, type DrivenMachine, drivenMachine } from "./driven.ts";
import { machineRecord } from "./machineRecord.ts";

/**
 * A whole data folder on a small file system, and less and less of it taken: each attempt gets farther before the room
 * is used up, until it gets through.
 */
const rooms = [
  ...[0, 8, 16, 208, 300].map((KiB) => KiB * 1024),
  // Past what is kept free for the guests, and used up while 128 MiB of memory come in.
  ...[10, 60].map((MiB) => MiB * 1024 ** 2),
];
let it: DrivenMachine;
let small: SmallDisk;
let living: LaunchedQemu | undefined;

beforeEach(async ({ skip }) => {
  if (!canMount) skip("mounting a tmpfs needs root");
  small = await smallDisk(400);
  it = await drivenMachine(join(small.folder, "home"));
  const { ssh, layers } = it.layout;
  for (const folder of [layers, join(it.files.folder, "checkpoints")])
    await mkdir(folder, { mode: 0o700 });
  await ensureUserKey(ssh);
  await pinHostKey(ssh.knownHosts, "gh-other", "ssh-ed25519 AAAA");
  await unpinHost(ssh.knownHosts, "gh-other");
});

afterEach(async () => {
  if (living !== undefined) {
    await endProcess(living, "SIGKILL");
    await waitForExit(living, 5_000);
    living = undefined;
  }
});

/** Every name in the data folder. */
const everything = async (): Promise<string[]> =>
  (await readdir(it.layout.home, { recursive: true })).sort();

const mine = ({ machines }: Answer): Answer["machines"][number] =>
  machines.find(({ record }) => record.id === machineId)!;

/** A busy guest, which has written 1 at 1 MiB. */
async function begin(): Promise<void> {
  living = await it.living({ guest: "busy" });
  await it.withMonitor(async (qmp) => {
    await atWork(qmp);
    await writeDisk(qmp, 1, 1);
  });
}

async function end(): Promise<void> {
  await it.withMonitor((qmp) => qmp.execute("quit")).catch(() => undefined);
  expect(await waitForExit(living!, 5_000)).toBe(true);
}

async function runs(): Promise<void> {
  await it.withMonitor(async (qmp) => {
    expect(await status(qmp)).toBe("running");
    expect(await counts(qmp)).toBe(true);
  });
}

/** Tries with every room; `failed` looks at what became of an attempt. Answers with the first that got through. */
async function tryAll(
  verb: string,
  argument: string | undefined,
  failed: (answer: Answer, room: string) => Promise<void>,
): Promise<Answer> {
  let failures = 0;
  for (const room of rooms) {
    const before = await everything();
    await small.leave(room);
    const what = `${verb} with ${String(room / 1024)} KiB`;
    const answer = await it.attempt(verb, argument);
    if (answer.failure === undefined) {
      await small.empty();
      expect(failures).toBeGreaterThan(2);
      return answer;
    }
    failures++;
    expect(answer.failure, what).toMatchObject({
      kind: "failed",
      code: "host.diskFull",
      remedy: expect.stringMatching(/space/i) as string,
    });
    await failed(answer, what);
    await small.empty();
    // The helper's next start sweeps nothing: there is nothing.
    expect(await everything(), what).toEqual(before);
  }
  return it.drive(verb, argument);
}

test("a fork on a full disk: the parent goes on, nothing is left, and with room it works", async () => {
  await begin();
  const { result } = await tryAll("fork", undefined, async (answer, what) => {
    expect(answer.machines.length, what).toBe(1);
    await runs();
  });
  await runs();
  const { disk, state } = it.layout.machine(result.id);
  expect(await holds(disk, 1, 1)).toBe(true);
  const child = await startFrom(it.layout.machine(result.id), state, {
    guest: "busy",
  });
  await child.qmp.execute("cont");
  expect(await counts(child.qmp)).toBe(true);
});

test("a checkpoint on a full disk: none is promised, the guest goes on, and with room it works", async () => {
  await begin();
  const answer = await tryAll("checkpoint", "kept", async (answer, what) => {
    expect(mine(answer).record.checkpoints, what).toEqual([]);
    await runs();
  });
  expect(mine(answer).record.checkpoints.length).toBe(1);
  await it.goesOn(2);
});

test("a suspension on a full disk: the guest goes on, and with room it is suspended", async () => {
  await begin();
  const answer = await tryAll("suspend", undefined, async (answer, what) => {
    expect(mine(answer).record.resumeFrom, what).toBeUndefined();
    await runs();
  });
  expect(mine(answer).state).toBe("stopped");
  expect(await holds(it.files.disk, 1, 1)).toBe(true);
  const again = await startFrom(it.files, it.files.state, { guest: "busy" });
  await again.qmp.execute("cont");
  expect(await counts(again.qmp)).toBe(true);
});

test("a roll back on a full disk: not at all, or wholly by the next helper that finds room", async () => {
  const { files } = it;
  let late = 0;
  for (const room of rooms.filter((bytes) => bytes < 1024 ** 2)) {
    living = await it.living();
    await it.withMonitor((qmp) => writeDisk(qmp, 1, 1));
    const { result } = await it.drive("checkpoint");
    await it.withMonitor((qmp) => writeDisk(qmp, 2, 1));
    await small.leave(room);
    const answer = await it.attempt("rollBack", result.id);
    const what = `with ${String(room / 1024)} KiB`;
    if (answer.failure !== undefined)
      expect(answer.failure, what).toMatchObject({
        code: "host.diskFull",
        remedy: expect.stringMatching(/space/i) as string,
      });
    const decided = mine(answer).state === "stopped";
    if (decided) {
      if (answer.failure !== undefined) {
        late++;
        // A helper that starts on the full disk knows the machine, and leaves what it can't do for later.
        expect(mine(await it.drive("nothing")).state, what).toBe("stopped");
      }
      await small.empty();
      const settled = await it.drive("nothing");
      expect(await it.strays(settled), what).toEqual([]);
      expect(mine(settled).record.resumeFrom?.kind, what).toBe("state");
      expect(await holds(files.disk, 1, 1), what).toBe(true);
    } else {
      await runs();
      await small.empty();
      expect(await it.strays(await it.drive("nothing")), what).toEqual([]);
      await end();
      expect(await holds(files.disk, 2, 1), what).toBe(true);
    }
    await rm(files.handles, { force: true });
    await writeRecord(files, machineRecord);
    await it.drive("nothing");
  }
  process.stdout.write(`${String(late)} roll backs were completed later\n`);
});

test("B15: a helper that starts on a full disk knows every machine; a half-begun one is emptied once there is room", async () => {
  const { files } = it;
  living = await it.living();
  await it.withMonitor((qmp) => writeDisk(qmp, 1, 1));
  await end();
  // As of a fork whose guest was ended before it said that it is itself: what it wrote belongs to nobody.
  await writeRecord(files, {
    ...machineRecord,
    resumeFrom: {
      kind: "state",
      way: "fork",
      at: machineRecord.createdAt,
      sizeBytes: 0,
      leases: 1,
      diskFrozen: true,
    },
  });
  const handles = await readHandles(files);
  expect(handles.kind).toBe("read");
  await small.leave(0);
  expect(mine(await it.drive("nothing")).state).toBe("stopped");
  expect(await holds(files.disk, 1, 1)).toBe(true);
  await small.empty();
  await it.drive("nothing");
  expect(await holds(files.disk, 1, 1)).toBe(false);
  expect((await readHandles(files)).kind).toBe("missing");

  // And one that crashed: that it did is known, though not written down.
  await writeRecord(files, machineRecord);
  if (handles.kind === "read") await writeHandles(files, handles.value);
  await small.leave(0);
  const { state, record } = mine(await it.drive("nothing"));
  expect(state).toBe("stopped");
  expect(record.lastStop.reason).toBe("crashed");
});
