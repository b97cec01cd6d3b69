import { mkdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { Log } from "../../../../../src/base/log.ts";
import { failed } from "../../../../../src/protocol/failure.ts";
import type {
  MachineState,
  UnsavedWork,
} from "../../../../../src/protocol/machines.ts";
import type { Entry } from "../../../../../src/helper/machines/roster/entry.ts";
import {
  demandSaved,
  forgetWork,
  noteWork,
  unsavedText,
} from "../../../../../src/helper/machines/running/unsaved.ts";
import { machineRecord } from "../../../../fakes/machineRecord.ts";
import { house } from "../house.ts";

const at = new Date(0).toISOString();
const none: UnsavedWork = {
  ...{ at, files: [], fileCount: 0, commits: [], commitCount: 0 },
};
const some: UnsavedWork = { ...none, files: ["a.ts"], fileCount: 1 };
const running: MachineState = { kind: "running", sinceMs: 0 };
const stopped: MachineState = { kind: "stopped", reason: "requested" };
const { signal } = new AbortController();

function entryOf(state: MachineState, work?: UnsavedWork): Entry {
  const folder = { local: "/here", guest: "/there", work };
  const record = { id: "0123", name: "web", folder } as Entry["record"];
  return { record, state, live: undefined, boot: [], revision: 1 };
}

const delete_ = (entry: Entry, answer?: UnsavedWork | Error) =>
  demandSaved(
    entry,
    {
      askForWork: () =>
        answer instanceof Error
          ? Promise.reject(answer)
          : Promise.resolve(answer),
    },
    signal,
  );
const refusal = { failure: { code: "machines.unsavedWork", kind: "refused" } };

describe("deleting a machine with a copied folder", () => {
  test("is refused while its guest holds work, with the list and the way out", async () => {
    await expect(delete_(entryOf(running), some)).rejects.toMatchObject({
      failure: {
        ...refusal.failure,
        message: expect.stringContaining("a.ts"),
        remedy: expect.stringContaining("--discard"),
        actions: ["bringBack"],
      },
    });
    await expect(delete_(entryOf(running), none)).resolves.toBeUndefined();
  });

  test("stopped, by what was found before it was stopped", async () => {
    await expect(delete_(entryOf(stopped, some))).rejects.toMatchObject(
      refusal,
    );
    await expect(
      delete_(entryOf(stopped, none), some),
    ).resolves.toBeUndefined();
  });

  test("is refused when nothing is known", async () => {
    await expect(delete_(entryOf(stopped))).rejects.toMatchObject(refusal);
    const broken = failed("ssh.connectFailed", "The guest is silent.");
    await expect(delete_(entryOf(running), broken)).rejects.toMatchObject({
      failure: { message: expect.stringContaining("The guest is silent.") },
    });
  });

  test("goes on without a word when no folder was copied in", async () => {
    const entry = entryOf(stopped);
    delete entry.record.folder;
    await expect(delete_(entry)).resolves.toBeUndefined();
  });
});

describe("what is known of a stopped machine", () => {
  const runningMachine = async () => {
    const { registry, layout } = await house();
    const folder = { local: "/here", guest: "/there" };
    await mkdir(layout.machine(machineRecord.id).folder);
    const entry = registry.add({ ...machineRecord, folder }, running);
    return { registry, entry };
  };
  const log = { info: () => undefined } as unknown as Log;

  test("is asked before it stops and forgotten when it starts", async () => {
    const { registry, entry } = await runningMachine();
    const askForWork = () => Promise.resolve(some);
    await noteWork(entry, { registry, askForWork, log }, signal);
    expect(entry.record.folder?.work).toEqual(some);
    await forgetWork(entry, registry);
    expect(entry.record.folder).toMatchObject({ local: "/here" });
    expect(entry.record.folder?.work).toBeUndefined();
  });

  test("stays unknown when the guest does not answer: it is stopped all the same", async () => {
    const { registry, entry } = await runningMachine();
    const askForWork = () => Promise.reject(new Error("silent"));
    await noteWork(entry, { registry, askForWork, log }, signal);
    expect(entry.record.folder?.work).toBeUndefined();
  });
});

test("the sentence names some and counts all", () => {
  const files = Array.from({ length: 20 }, (_, i) => `f${String(i)}`);
  const work = { ...none, files, fileCount: 20, commits: ["ab one"] };
  const text = unsavedText("web", { ...work, commitCount: 1 });
  expect(text).toContain("20 files (f0, ");
  expect(text).toContain("and 12 more");
  expect(text).toContain("1 commit (ab one)");
});
