import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { Server } from "ssh2";
import { describe, expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../../../src/base/log.ts";
import {
  type BootDeps,
  enterStage,
  followBoot,
  followReset,
} from "../../../../../src/helper/machines/boot/followBoot.ts";
import type { Entry } from "../../../../../src/helper/machines/roster/entry.ts";
import {
  ensureUserKey,
  generateHostKey,
} from "../../../../../src/helper/ssh/keys.ts";
import { readRecord } from "../../../../../src/helper/store/records.ts";
import { type FakeQemu, fakeQemu } from "../fakeQemu.ts";
import { machineRecord } from "../../../../fakes/machineRecord.ts";
import { house, type House } from "../house.ts";

interface Booting extends House, FakeQemu {
  readonly entry: Entry;
  readonly deps: BootDeps;
  /** What the guest was told to run. */
  readonly ran: string[];
}

const hostKey = generateHostKey();

/** A guest's SSH server, played. */
async function sshServer(ran: string[]): Promise<number> {
  const server = new Server({ hostKeys: [hostKey.privateKey] }, (client) => {
    client.on("error", () => undefined);
    client.on("authentication", (attempt) =>
      attempt.method === "publickey"
        ? attempt.accept()
        : attempt.reject(["publickey"]),
    );
    client.on("session", (accept) =>
      accept().on("exec", (answer, _reject, { command }) => {
        ran.push(command);
        const channel = answer();
        channel.exit(0);
        channel.end();
      }),
    );
  });
  await new Promise<void>((up) => server.listen(0, "127.0.0.1", () => up()));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function booting(answers: boolean): Promise<Booting> {
  const here = await house();
  const { layout, registry } = here;
  const files = layout.machine(machineRecord.id);
  await mkdir(files.folder);
  await writeFile(files.log, "");
  await ensureUserKey(layout.ssh);
  const ran: string[] = [];
  const sshPort = answers ? await sshServer(ran) : 1;
  const entry = registry.add(
    {
      ...machineRecord,
      seedPending: true,
      hostPublicKey: hostKey.publicKey,
    },
    { kind: "stopped", reason: "created" },
  );
  const qemu = await fakeQemu(
    here,
    entry,
    { kind: "starting", stage: "firmware", sinceMs: 1 },
    { sshPort, boot: [] },
  );
  const deps: BootDeps = {
    ...{ layout, registry, log: silentLog },
    expectedBootSeconds: () => Promise.resolve(1),
  };
  return { ...here, ...qemu, entry, deps, ran };
}

describe("a guest that is reached", () => {
  test("runs, with its stages in record, view and log, and has written its seed to its disk", async () => {
    const it = await booting(true);
    const { entry, live, deps, layout, told, shown } = it;
    const files = layout.machine(machineRecord.id);
    await appendFile(files.log, "[    0.000000] Linux version 6.1\r\n");
    await followBoot(entry, live, deps, 8_000);
    expect(entry.state.kind).toBe("running");
    expect(live.handles.readySinceMs).toBeDefined();
    expect(entry.boot.at(0)?.stage).toBe("firmware");
    expect(entry.boot.at(-1)?.stage).toBe("ready");
    expect(shown.at(-1)?.boot).toEqual(entry.boot);
    expect(told.at(-1)).toBe("running");
    expect(await readFile(files.log, "utf8")).toContain("ready · ");
    await expect.poll(() => it.ran).toContain("sync");
    await expect.poll(() => entry.record.seedPending).toBeUndefined();
    const read = await readRecord(files);
    expect(read).not.toHaveProperty("value.seedPending");
  });

  test("a second boot in the same QEMU is found again", async () => {
    const { entry, live, deps } = await booting(true);
    await followBoot(entry, live, deps, 8_000);
    const first = live.watch.signal;
    followReset(entry, live, deps);
    expect(first.aborted).toBe(true);
    expect(entry.state.kind).toBe("starting");
    expect(entry.boot).toEqual([{ stage: "firmware", atMs: 0 }]);
    await expect
      .poll(() => entry.state.kind, { timeout: 8_000 })
      .toBe("running");
  });
});

describe("a guest that isn't reached", () => {
  test("B8: is unready with a diagnosis when its time is up, and is looked for still", async () => {
    const { entry, live, deps, layout } = await booting(false);
    const following = followBoot(entry, live, deps, 300);
    await expect
      .poll(() => entry.state.kind, { timeout: 9_000 })
      .toBe("unready");
    expect(entry.state).toMatchObject({
      diagnosis: { hint: expect.stringMatching(/\.$/) as string },
    });
    const { log } = layout.machine(machineRecord.id);
    await expect
      .poll(() => readFile(log, "utf8"))
      .toContain("not reached after 0.3 s");
    live.watch.abort();
    await following;
  });

  test("whose QEMU has ended meanwhile: nothing is said of it any more", async () => {
    const { entry, live, deps, registry, told } = await booting(false);
    const following = followBoot(entry, live, deps, 5_000);
    registry.detach(entry);
    live.watch.abort();
    await following;
    await enterStage(entry, live, deps, "sshd");
    expect(told).not.toContain("unready");
    expect(entry.boot.map(({ stage }) => stage)).not.toContain("sshd");
  });
});

test("a stage is entered once, and is no less true where it can't be written", async () => {
  const { entry, live, deps, layout, told } = await booting(false);
  await enterStage(entry, live, deps, "kernel");
  const before = told.length;
  await enterStage(entry, live, deps, "kernel");
  expect(told).toHaveLength(before);
  const { log } = layout.machine(machineRecord.id);
  const unwritable = {
    ...deps,
    layout: { ...layout, machine: () => ({ log: `${log}/no/such` }) },
  } as unknown as BootDeps;
  await enterStage(entry, live, unwritable, "init");
  expect(entry.state).toMatchObject({ kind: "starting", stage: "init" });
  live.watch.abort();
});
