import { execa } from "execa";
import { beforeEach, expect, test } from "vitest";
import { refused } from "../../../src/protocol/failure.ts";
import type { Machine } from "../../../src/protocol/machines.ts";
import type { StorageItem } from "../../../src/protocol/storage.ts";
import { checkpoint, machine, template } from "../../unit/extension/samples.ts";
import { bundle, type Ended } from "../../vm/household.ts";
import { fakeHouse } from "./fakeHouse.ts";

/* The real command line against the contract: what it asks for and what it prints. */

const house = fakeHouse();

const web = machine({
  id: "id-web",
  name: "web",
  alias: "gh-web",
  state: { kind: "running", sinceMs: 0 },
  checkpoints: [checkpoint()],
});
const fork = machine({
  id: "id-fork",
  name: "web-fork",
  alias: "gh-web-fork",
  generation: 1,
  parent: { id: "id-web", name: "web" },
  state: { kind: "stopped", reason: "suspended" },
  suspended: { at: "2026-03-01T12:00:00Z", sizeBytes: 210 * 1024 ** 2 },
});

beforeEach(() => {
  house.helper.putMachine(web);
  house.helper.putMachine(fork);
  for (const [name, each] of [
    ["web", web],
    ["web-fork", fork],
  ] as const)
    answers.set(name, each);
  house.helper.answer("machines.show", ({ machine: name }) => {
    const found = answers.get(name);
    if (found === undefined)
      throw refused("machines.unknown", `There is no machine “${name}”.`);
    return Promise.resolve({ machine: found });
  });
});
const answers = new Map<string, Machine>();

async function guesthouse(...args: string[]): Promise<Ended> {
  const { exitCode, stdout, stderr } = await execa(
    process.execPath,
    [bundle, ...args],
    { reject: false, stdin: "ignore", env: { GUESTHOUSE_HOME: house.home } },
  );
  return { exitCode: exitCode ?? -1, stdout, stderr };
}

const asked = (method: string): unknown =>
  house.helper.requests.findLast((request) => request.method === method)
    ?.params;

test("fork names the fork, waits as told and says how long the parent stood still", async () => {
  house.helper.answer("machines.fork", () =>
    Promise.resolve({
      machine: { ...fork, state: { kind: "running" as const, sinceMs: 0 } },
      pausedMs: 240,
    }),
  );
  const { stdout, exitCode } = await guesthouse(
    "fork",
    "web",
    "web-fork",
    "--timeout",
    "9",
  );
  expect(stdout).toBe(
    "web-fork is running. ssh gh-web-fork\nweb stood still for 0.2 s.",
  );
  expect(exitCode).toBe(0);
  expect(asked("machines.fork")).toEqual({
    machine: "web",
    name: "web-fork",
    wait: true,
    timeoutMs: 9000,
  });
});

test("checkpoint create keeps the memory unless told otherwise", async () => {
  house.helper.answer("checkpoints.create", () =>
    Promise.resolve({ machine: web, checkpoint: "0a1b2c3d", pausedMs: 180 }),
  );
  const { stdout } = await guesthouse(
    ...["checkpoint", "create", "web", "--note", "before the upgrade"],
  );
  expect(stdout).toBe(
    "Checkpoint 0a1b2c3d of web is made (240 MiB); it stood still for 0.2 s.",
  );
  expect(asked("checkpoints.create")).toEqual({
    machine: "web",
    note: "before the upgrade",
  });
  await guesthouse("checkpoint", "create", "web", "--no-memory");
  expect(asked("checkpoints.create")).toEqual({
    machine: "web",
    memory: false,
  });
  const long = ["checkpoint", "create", "web", "--note", "x".repeat(201)];
  expect((await guesthouse(...long)).exitCode).toBe(2);
});

test("checkpoint list, roll-back, branch and delete", async () => {
  const listed = await guesthouse("checkpoint", "list", "web");
  expect(listed.stdout).toMatch(
    /^0a1b2c3d {2}2026-03-01T11:30:00Z {2}memory and disk {2}240 MiB {2}before the upgrade$/m,
  );
  const json = await guesthouse("checkpoint", "ls", "web", "--json");
  expect(JSON.parse(json.stdout)).toEqual(web.checkpoints);

  house.helper.answer("checkpoints.rollBack", () =>
    Promise.resolve({ machine: web }),
  );
  const back = await guesthouse(
    ...["checkpoint", "roll-back", "web", "0a1b2c3d", "--keep-present"],
  );
  expect(back.stdout).toBe("web is back at 0a1b2c3d and running.");
  expect(asked("checkpoints.rollBack")).toEqual({
    machine: "web",
    checkpoint: "0a1b2c3d",
    keepPresent: true,
    wait: true,
  });

  house.helper.answer("checkpoints.branch", () =>
    Promise.resolve({ machine: web }),
  );
  await guesthouse("checkpoint", "branch", "web", "0a1b2c3d", "try");
  expect(asked("checkpoints.branch")).toEqual({
    machine: "web",
    checkpoint: "0a1b2c3d",
    name: "try",
    wait: true,
  });

  house.helper.answer("checkpoints.delete", () =>
    Promise.resolve({ machine: web, freedBytes: 240 * 1024 ** 2 }),
  );
  const gone = await guesthouse("checkpoint", "delete", "web", "0a1b2c3d");
  expect(gone.stdout).toBe(
    "Deleted checkpoint 0a1b2c3d of web; 240 MiB freed.",
  );
});

test("an unknown checkpoint is refused with its exit code", async () => {
  house.helper.answer("checkpoints.delete", () => {
    throw refused("checkpoints.unknown", "web has no checkpoint “nope”.", {
      remedy: "List them with: guesthouse checkpoint list web",
    });
  });
  expect(await guesthouse("checkpoint", "rm", "web", "nope")).toEqual({
    exitCode: 3,
    stdout: "",
    stderr:
      "guesthouse: web has no checkpoint “nope”.\n  → List them with: guesthouse checkpoint list web",
  });
});

test("list and show tell a suspended fork: state, generation, parent", async () => {
  const list = await guesthouse("list");
  expect(list.stdout).toMatch(/^web +running +– .* 0 +– +1 +ssh gh-web$/m);
  expect(list.stdout).toMatch(/^web-fork +suspended +– .* 1 +web +0 +ssh/m);
  const { stdout } = await guesthouse("show", "web-fork");
  expect(stdout).toMatch(/^state +suspended$/m);
  expect(stdout).toMatch(/^suspended +2026-03-01T12:00:00Z, 210 MiB$/m);
  expect(stdout).toMatch(/^generation +1\nparent +web$/m);
  const shown = await guesthouse("show", "web");
  expect(shown.stdout).toMatch(
    /^checkpoint +0a1b2c3d · .* · before the upgrade$/m,
  );
});

test("suspend says so", async () => {
  house.helper.answer("machines.suspend", () =>
    Promise.resolve({ machine: fork }),
  );
  const { stdout } = await guesthouse("suspend", "web-fork");
  expect(stdout).toBe("web-fork is suspended.");
});

test("start --cold throws a saved state away, and only then", async () => {
  house.helper.answer("machines.start", () =>
    Promise.resolve({ machine: web }),
  );
  await guesthouse("start", "web", "--cold");
  expect(asked("machines.start")).toMatchObject({ discardState: true });
  await guesthouse("start", "web");
  expect(asked("machines.start")).toEqual({ machine: "web", wait: true });
  expect((await guesthouse("restart", "web", "--cold")).exitCode).toBe(2);
});

test("create --cold asks for a boot, and only then", async () => {
  house.helper.answer("machines.create", () =>
    Promise.resolve({ machine: web }),
  );
  await guesthouse("create", "web", "--cold");
  expect(asked("machines.create")).toMatchObject({ warm: false });
  await guesthouse("create", "web");
  expect(asked("machines.create")).not.toHaveProperty("warm");
});

test("templates are listed, warmed up and deleted", async () => {
  house.helper.putTemplate(template());
  const { stdout } = await guesthouse("template", "list");
  expect(stdout).toMatch(
    /^0123456789abcdef +debian-12 +ready +2 +2048 MiB +20 GiB +184 MiB /m,
  );
  house.helper.answer("templates.warmUp", () =>
    Promise.resolve({ template: template() }),
  );
  const warm = await guesthouse("template", "warm-up", "debian-12", "-m", "1G");
  expect(warm.stdout).toBe(
    "Template 0123456789abcdef of debian-12 is ready (184 MiB).",
  );
  expect(asked("templates.warmUp")).toEqual({
    image: "debian-12",
    memoryMiB: 1024,
  });
  house.helper.answer("templates.delete", () =>
    Promise.resolve({ freedBytes: 1024 ** 2 }),
  );
  expect((await guesthouse("template", "rm", "0123456789abcdef")).stdout).toBe(
    "Deleted template 0123456789abcdef; 1.00 MiB freed.",
  );
});

test("du shows all, gc removes what can go, and --dry-run only says so", async () => {
  const image: StorageItem = {
    kind: "image",
    id: "sha256:aa",
    title: "debian-12",
    bytes: 490 * 1024 ** 2,
    reclaimable: false,
    reason: "web stands on it",
  };
  const leftover: StorageItem = {
    kind: "leftover",
    id: "x",
    title: "half a download",
    bytes: 600 * 1024 ** 2,
    reclaimable: true,
    reason: "nothing knows it",
  };
  house.helper.answer("storage.usage", () =>
    Promise.resolve({
      items: [image, leftover],
      totalBytes: image.bytes + leftover.bytes,
      reclaimableBytes: leftover.bytes,
    }),
  );
  expect((await guesthouse("du")).stdout.split("\n")).toEqual([
    "SIZE     KIND      WHAT             CAN GO  WHY",
    "600 MiB  leftover  half a download  yes     nothing knows it",
    "490 MiB  image     debian-12        no      web stands on it",
    "1.06 GiB in all, 600 MiB of it reclaimable.",
  ]);
  house.helper.answer("storage.reclaim", ({ dryRun }) =>
    Promise.resolve(
      dryRun === true
        ? { removed: [leftover], freedBytes: leftover.bytes }
        : { removed: [], freedBytes: 0 },
    ),
  );
  const dry = await guesthouse("gc", "--dry-run");
  expect(dry.stdout).toMatch(/half a download[^]*600 MiB would be freed\.$/);
  expect((await guesthouse("gc")).stdout).toBe("Nothing can be reclaimed.");
  expect(asked("storage.reclaim")).toEqual({ dryRun: false });
});
