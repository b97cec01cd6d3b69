import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import type { GoldenImage } from "../../../../src/helper/images/golden/goldenImage.ts";
import {
  type CreateDeps,
  createMachine,
} from "../../../../src/helper/machines/create.ts";
import { shapeOf } from "../../../../src/helper/machines/roster/shape.ts";
import {
  emptyOverlay,
  type TemplateRecord,
  Templates,
} from "../../../../src/helper/snapshots/templates.ts";
import { readRecord } from "../../../../src/helper/store/records.ts";
import { house, type House } from "./house.ts";

const wish = { name: "web", cpus: 1, memoryMiB: 512, diskGiB: 1 };
const never = (): AbortSignal => new AbortController().signal;

interface Workshop extends House {
  readonly deps: CreateDeps;
  readonly template: TemplateRecord;
  /** What was told of the images that machines stand on. */
  readonly users: string[];
}

/** A house with an image and a warm template of it, whose disks nobody looks into. */
async function workshop(
  card?: TemplateRecord["card"],
  onTold?: Parameters<typeof house>[0],
): Promise<Workshop> {
  const here = await house(onTold);
  const { layout, registry } = here;
  const templates = new Templates(
    layout,
    { changed: () => undefined, removed: () => undefined },
    silentLog,
  );
  const image = {
    ...{ name: "debian-12", digest: "sha256:0", os: "linux" },
    ...{ defaultUser: "dev", virtualSizeBytes: 1024 ** 3 },
    files: layout.image("sha256:0"),
  } as GoldenImage;
  const now = new Date(0).toISOString();
  const template: TemplateRecord = {
    ...{ format: 1, id: "0123456789abcdef", layer: "0123456789abcdef" },
    image: { name: image.name, digest: image.digest },
    shape: shapeOf({ ...wish, user: "dev", screen: false }),
    network: "passt",
    ...(card === undefined ? {} : { card }),
    ...{ createdAt: now, lastUsedAt: now, sizeBytes: 0 },
  };
  const own = templates.files(template.id);
  await mkdir(own.folder, { recursive: true });
  await writeFile(emptyOverlay(own), "overlay");
  await templates.commit(template);
  const users: string[] = [];
  return {
    ...{ ...here, template, users },
    deps: {
      ...{ layout, registry, templates, log: silentLog },
      images: {
        obtain: () => Promise.resolve(image),
        usersChanged: (digest) => Promise.resolve(void users.push(digest)),
      },
      warm: { find: () => Promise.resolve(template) },
    },
  };
}

describe("a clone of a warm template", () => {
  test("B1, B3: is whole before its record, which is written last; each step is told", async () => {
    const { deps, layout, template, told, shown, users } = await workshop();
    const there: boolean[] = [];
    const images: CreateDeps["images"] = {
      ...deps.images,
      usersChanged: async (digest) => {
        const { record } = layout.machine(shown[0]!.id);
        there.push((await readFile(record, "utf8")) !== "");
        await deps.images.usersChanged(digest);
      },
    };
    const entry = await createMachine(wish, { ...deps, images }, never());
    const files = layout.machine(entry.record.id);
    expect(await readRecord(files)).toEqual({
      kind: "read",
      value: entry.record,
    });
    expect(entry.record).toMatchObject({
      ...{ name: "web", os: "linux", user: "dev", seedPending: true },
      resumeFrom: { kind: "template", id: template.id },
      hostPublicKey: expect.stringMatching(/^ssh-ed25519 /) as string,
    });
    expect(await readFile(files.disk, "utf8")).toBe("overlay");
    expect(await readFile(layout.ssh.knownHosts, "utf8")).toContain(
      entry.record.hostPublicKey.split(" ")[1],
    );
    expect(told).toEqual(["creating", "creating", "creating", "stopped"]);
    expect(
      shown.map(({ state }) => (state.kind === "creating" ? state.step : "")),
    ).toEqual(["image", "disk", "seed", ""]);
    expect(users).toEqual(["sha256:0"]);
    expect(there).toEqual([true]);
  });

  test("keeps the card that its memory knows, where the template has one", async () => {
    const card = {
      macAddress: "52:54:00:00:00:01",
      guestAddress: "10.0.2.15",
    };
    const { deps, layout, template } = await workshop(card);
    const { variables } = deps.templates.files(template.id);
    await writeFile(variables, "variables");
    const { record } = await createMachine(wish, deps, never());
    expect(record).toMatchObject(card);
    const files = layout.machine(record.id);
    expect(await readFile(files.variables, "utf8")).toBe("variables");
  });
});

describe("a machine that can't be made", () => {
  const nothingIsLeft = async ({ layout, registry, told }: Workshop) => {
    expect(registry.entries()).toEqual([]);
    expect(told.at(-1)).toBe("removed");
    expect(await readdir(layout.machines)).toEqual([]);
    expect(await readdir(layout.logs)).toEqual([]);
    const known = await readFile(layout.ssh.knownHosts, "utf8").catch(() => "");
    expect(known).not.toContain("gh-web");
  };

  test("for want of its template's disk: nothing is left, and its name is free", async () => {
    const it = await workshop({
      ...{ macAddress: "52:54:00:00:00:01", guestAddress: "10.0.2.15" },
    });
    await expect(createMachine(wish, it.deps, never())).rejects.toThrow();
    await nothingIsLeft(it);
    expect(it.registry.takenNames().size).toBe(0);
    expect(it.users).toEqual([]);
  });

  test("as its request is cancelled at the last moment: it was never there", async () => {
    const cancel = new AbortController();
    const it = await workshop(undefined, ({ state }) => {
      if (state.kind === "creating" && state.step === "seed") cancel.abort();
    });
    await expect(createMachine(wish, it.deps, cancel.signal)).rejects.toThrow();
    await nothingIsLeft(it);
  });

  test("as its name is taken, or none: refused before anything is there", async () => {
    const it = await workshop();
    await createMachine(wish, it.deps, never());
    const before = it.told.length;
    await expect(createMachine(wish, it.deps, never())).rejects.toMatchObject({
      failure: { code: "machines.nameTaken" },
    });
    await expect(
      createMachine({ ...wish, name: "Web!" }, it.deps, never()),
    ).rejects.toMatchObject({ failure: { code: "machines.nameInvalid" } });
    expect(it.told).toHaveLength(before);
  });
});
