import { createHash } from "node:crypto";
import {
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import type { MadeImage, Recipe } from "../../../src/helper/images/made.ts";
import { type ImageServer, startImageServer } from "../../fakes/imageServer.ts";
import { goldenFacts } from "../../unit/helper/images/goldenFacts.ts";
import { makeRootDisk } from "./disks.ts";
import { type ImageHouse, catalogOf, imageHouse } from "./house.ts";

let folder: string;
let qcow2: Buffer;
let other: Buffer;
let server: ImageServer;
const houses: ImageHouse[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-obtain-"));
  qcow2 = await diskOf("one");
  other = await diskOf("two");
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  server = await startImageServer(qcow2);
});
afterEach(async () => {
  await server.close();
  for (const house of houses.splice(0)) await house[Symbol.asyncDispose]();
});

async function diskOf(name: string): Promise<Buffer> {
  const raw = join(folder, `${name}.raw`);
  await makeRootDisk(raw);
  const path = join(folder, `${name}.qcow2`);
  await execa("qemu-img", ["convert", "-O", "qcow2", raw, path]);
  return readFile(path);
}

const open = async (
  ...args: Parameters<typeof imageHouse>
): Promise<ImageHouse> => {
  const house = await imageHouse(...args);
  houses.push(house);
  return house;
};
const catalog = {
  get value() {
    return catalogOf(server);
  },
};
const files = async (path: string): Promise<string[]> =>
  readdir(path).catch(() => []);

/** A builder that copies a disk instead of installing a system. */
const recipeOf = (
  disk: () => Buffer,
): { recipes: { "debian-12": Recipe }; builds: () => number } => {
  let builds = 0;
  return {
    builds: () => builds,
    recipes: {
      "debian-12": {
        key: () => Promise.resolve("key-1"),
        build: async (workFolder, onProgress): Promise<MadeImage> => {
          builds++;
          onProgress({ stage: "build", detail: "installing", fraction: 0.5 });
          const out = join(workFolder, "out");
          await mkdir(out, { recursive: true });
          const path = (name: string): string => join(out, name);
          await writeFile(path("disk.qcow2"), disk());
          await writeFile(path("kernel"), "kernel");
          await writeFile(path("initrd"), "initrd");
          return {
            diskPath: path("disk.qcow2"),
            kernelPath: path("kernel"),
            initrdPath: path("initrd"),
            kernelArguments: "root=LABEL=root console=ttyS0",
            facts: goldenFacts,
          };
        },
      },
    },
  };
};

describe("a catalog image, downloaded", () => {
  test("comes into the store under the digest of its disk, sealed, and leaves nothing else (B26)", async () => {
    const house = await open({ catalog: catalog.value });
    const { images, layout } = house;
    expect((await images.show("debian-12")).state).toEqual({
      kind: "available",
    });
    const stages: string[] = [];
    const image = await images.obtain("debian-12", {}, ({ stage }) => {
      if (stages.at(-1) !== stage) stages.push(stage);
    });
    const disk = await readFile(image.files.disk);
    expect(image.digest).toBe(
      `sha256:${createHash("sha256").update(disk).digest("hex")}`,
    );
    expect(image).toMatchObject({
      name: "debian-12",
      architecture: "amd64",
      virtualSizeBytes: 8 * 1024 * 1024,
      defaultUser: "debian",
      directBoot: true,
      kernelArguments: "root=/dev/vda1 console=ttyS0",
    });
    expect((await stat(image.files.disk)).mode & 0o777).toBe(0o400);
    expect((await stat(image.files.folder)).mode & 0o777).toBe(0o700);
    expect(stages).toEqual(["download", "verify", "convert", "validate"]);
    expect(await files(layout.work)).toEqual([]);
    expect(await files(layout.downloads)).toEqual([]);
    const record = await images.show("debian-12");
    expect(record.state).toEqual({ kind: "ready" });
    expect(record.report?.usable).toBe(true);
    expect(record.source).toMatchObject({ kind: "catalog", url: server.url });
    expect(house.told.at(-1)).toEqual(record);
  });

  test("is there at once the second time, and after a restart (B26)", async () => {
    const house = await open({ catalog: catalog.value });
    const first = await house.images.obtain("debian-12", {}, undefined);
    await server.close();
    expect(await house.images.obtain("debian-12", {}, undefined)).toEqual(
      first,
    );
    await house.restart();
    expect(await house.images.resolve("debian-12")).toEqual(first);
    expect(await house.images.resolve(first.digest)).toEqual(first);
    expect(house.prepared).toBe(1);
  });

  test("finds its name again when names.json is lost or garbled", async () => {
    const house = await open({ catalog: catalog.value });
    const { digest } = await house.images.obtain("debian-12", {}, undefined);
    await writeFile(house.layout.imageNames, "{ half");
    await house.restart();
    expect((await house.images.resolve("debian-12")).digest).toBe(digest);
  });

  test("is made once for callers at once (B19)", async () => {
    const house = await open({ catalog: catalog.value });
    const made = await Promise.all(
      [1, 2, 3].map(() => house.images.obtain("debian-12", {}, undefined)),
    );
    expect(new Set(made.map(({ digest }) => digest)).size).toBe(1);
    expect(house.prepared).toBe(1);
    expect(server.requests).toHaveLength(1);
  });

  test("can be cancelled and goes on where it was", async () => {
    server.behaviours = [{ delayMs: 30 }];
    const house = await open({ catalog: catalog.value });
    const waiting = house.images
      .obtain("debian-12", {}, undefined)
      .catch((error: unknown) => error);
    await until(async () => {
      const { state } = await house.images.show("debian-12");
      return state.kind === "working" && (state.bytes ?? 0) > 300_000;
    });
    expect(await house.images.cancel("debian-12")).toBe(true);
    expect(await waiting).toMatchObject({ failure: { kind: "cancelled" } });
    expect((await house.images.show("debian-12")).state.kind).toBe("available");
    expect(await files(house.layout.work)).toEqual([]);
    server.behaviours = [{}];
    await house.images.obtain("debian-12", {}, undefined);
    expect(server.requests.at(-1)?.range).toMatch(/^bytes=[1-9]/);
  });

  test("is refused when it is not what was published, and is not kept (B26)", async () => {
    server.behaviours = [{ content: other }];
    const house = await open({ catalog: catalog.value });
    await expect(
      house.images.obtain("debian-12", {}, undefined),
    ).rejects.toMatchObject({ failure: { code: "images.digestMismatch" } });
    expect((await house.images.show("debian-12")).state).toMatchObject({
      kind: "failed",
      failure: { code: "images.digestMismatch" },
    });
    expect(await files(house.layout.downloads)).toEqual([]);
    expect(house.prepared).toBe(0);
    // Trying again forgets the failure.
    server.behaviours = [{}];
    await house.images.obtain("debian-12", {}, undefined);
    expect((await house.images.show("debian-12")).state.kind).toBe("ready");
  });

  test("is not downloaded when the publisher lists no checksum for it (B26)", async () => {
    server.sums = () => `${"0".repeat(64)}  something-else.qcow2\n`;
    const house = await open({ catalog: catalog.value });
    await expect(
      house.images.obtain("debian-12", {}, undefined),
    ).rejects.toMatchObject({
      failure: {
        code: "images.downloadFailed",
        message: expect.stringContaining("lists no sha256 for it") as string,
      },
    });
    expect(server.requests).toEqual([]);
  });

  test("is refused with the reasons when its facts speak against it (B11)", async () => {
    const house = await open({
      catalog: catalog.value,
      prepare: ({ diskPath }) =>
        Promise.resolve({
          diskPath,
          facts: {
            ...goldenFacts,
            kernel: { version: "", modules: [], builtin: [] },
          },
        }),
    });
    await expect(
      house.images.obtain("debian-12", {}, undefined),
    ).rejects.toMatchObject({
      failure: {
        code: "images.invalid",
        message: expect.stringContaining("There is no kernel") as string,
        remedy: expect.stringContaining("Install a kernel package") as string,
      },
    });
    expect(await files(house.layout.images)).toEqual([]);
  });

  test("what an earlier helper left half done is gone (B26)", async () => {
    const house = await open({ catalog: catalog.value });
    const left = join(house.layout.work, "debian-12-dead", "out");
    await mkdir(left, { recursive: true });
    await writeFile(join(left, "disk.qcow2"), "half");
    await house.restart();
    expect(await files(house.layout.work)).toEqual([]);
  });
});

describe("a catalog image with a recipe", () => {
  test("is built when its publisher can't be reached", async () => {
    await server.close();
    const { recipes, builds } = recipeOf(() => other);
    const house = await open({
      catalog: catalogOf(server, "debian-12"),
      recipes,
    });
    const image = await house.images.obtain("debian-12", {}, undefined);
    expect(builds()).toBe(1);
    expect(house.prepared).toBe(0);
    expect(await readFile(image.files.kernel, "utf8")).toBe("kernel");
    expect((await house.images.show("debian-12")).source).toEqual({
      kind: "built",
      entry: "debian-12",
      inputsKey: "key-1",
    });
  });

  test("says so, and is not built, when only a download is wanted", async () => {
    await server.close();
    const { recipes, builds } = recipeOf(() => other);
    const house = await open({
      catalog: catalogOf(server, "debian-12"),
      recipes,
    });
    await expect(
      house.images.obtain("debian-12", { method: "download" }, undefined),
    ).rejects.toMatchObject({ failure: { code: "images.downloadFailed" } });
    expect(builds()).toBe(0);
  });

  test("is not built instead of a download that was tampered with (B26)", async () => {
    server.behaviours = [{ content: other }];
    const { recipes, builds } = recipeOf(() => other);
    const house = await open({
      catalog: catalogOf(server, "debian-12"),
      recipes,
    });
    await expect(
      house.images.obtain("debian-12", {}, undefined),
    ).rejects.toMatchObject({ failure: { code: "images.digestMismatch" } });
    expect(builds()).toBe(0);
  });

  test("is kept in the cache that data folders share, and taken from there", async () => {
    const cache = join(folder, "cache");
    const env = { GUESTHOUSE_IMAGE_CACHE: cache };
    const { recipes, builds } = recipeOf(() => other);
    const options = { catalog: catalogOf(server, "debian-12"), recipes, env };
    const first = await open(options);
    const built = await first.images.obtain(
      "debian-12",
      { method: "build" },
      undefined,
    );
    const second = await open(options);
    const taken = await second.images.obtain("debian-12", {}, undefined);
    expect(taken.digest).toBe(built.digest);
    expect(taken.kernelArguments).toBe(built.kernelArguments);
    expect(await readFile(taken.files.initrd, "utf8")).toBe("initrd");
    expect(builds()).toBe(1);
    expect(server.paths).toEqual([]);

    // A damaged entry is passed over: here the publisher is asked instead.
    await writeFile(join(cache, "key-1", "disk.qcow2"), "damaged");
    const third = await open(options);
    await third.images.obtain("debian-12", {}, undefined);
    expect(server.requests).toHaveLength(1);
    expect(await files(third.layout.work)).toEqual([]);
  });
});

describe("renewing and deleting", () => {
  test("machines keep the digest they stand on; it goes with the last of them (B6)", async () => {
    const house = await open({ catalog: catalog.value });
    const { images, users } = house;
    const old = await images.obtain("debian-12", {}, undefined);
    users.set(old.digest, ["web"]);
    server.image = other;
    const fresh = await images.obtain("debian-12", { force: true }, undefined);
    expect(fresh.digest).not.toBe(old.digest);
    expect((await images.resolve("debian-12")).digest).toBe(fresh.digest);
    expect((await images.resolve(old.digest)).digest).toBe(old.digest);
    expect((await images.show("debian-12")).usedBy).toEqual(["web"]);
    users.delete(old.digest);
    await images.usersChanged(old.digest);
    await expect(images.resolve(old.digest)).rejects.toMatchObject({
      failure: { code: "images.unknown" },
    });
    expect(await stat(old.files.folder).catch(() => "gone")).toBe("gone");
  });

  test("a failed renewal leaves the old image ready", async () => {
    const house = await open({ catalog: catalog.value });
    const old = await house.images.obtain("debian-12", {}, undefined);
    server.behaviours = [{}, { status: 404 }];
    server.image = other;
    await expect(
      house.images.obtain("debian-12", { force: true }, undefined),
    ).rejects.toMatchObject({ failure: { code: "images.downloadFailed" } });
    expect((await house.images.show("debian-12")).state.kind).toBe("ready");
    expect((await house.images.resolve("debian-12")).digest).toBe(old.digest);
  });

  test("an image in use is not deleted; the machines are named", async () => {
    const house = await open({ catalog: catalog.value });
    const { digest } = await house.images.obtain("debian-12", {}, undefined);
    house.users.set(digest, ["web", "api"]);
    await expect(house.images.remove("debian-12")).rejects.toMatchObject({
      failure: {
        kind: "refused",
        code: "images.inUse",
        message:
          "Image debian-12 can't be deleted: machines api, web stand on it.",
        remedy: "Delete those machines first.",
      },
    });
    house.users.clear();
    const release = house.images.hold(digest);
    await expect(house.images.remove("debian-12")).rejects.toMatchObject({
      failure: { code: "images.busy" },
    });
    await release();
    expect(await house.images.remove("debian-12")).toBeGreaterThan(1_000_000);
    expect((await house.images.show("debian-12")).state.kind).toBe("available");
    expect(await files(house.layout.images)).toEqual(["names.json"]);
    await expect(house.images.remove("debian-12")).rejects.toMatchObject({
      failure: {
        code: "images.unknown",
        remedy: "Get it first (guesthouse image pull debian-12).",
      },
    });
  });

  test("an unknown image is refused with what there is", async () => {
    const house = await open();
    await expect(
      house.images.obtain("debain-12", {}, undefined),
    ).rejects.toMatchObject({
      failure: {
        code: "images.unknown",
        message: "There is no image “debain-12”.",
        remedy: expect.stringContaining("debian-12, debian-13") as string,
      },
    });
  });

  test("a later look finds changed bytes, and the image is no longer ready (B6, B26)", async () => {
    const house = await open({ catalog: catalog.value });
    const { files: stored } = await house.images.obtain(
      "debian-12",
      {},
      undefined,
    );
    const good = await house.images.validate("debian-12");
    expect(good.report.usable).toBe(true);
    expect(good.image.state.kind).toBe("ready");
    const disk = await readFile(stored.disk);
    disk[disk.length - 1] = (disk.at(-1) ?? 0) ^ 1;
    await rm(stored.disk);
    await writeFile(stored.disk, disk);
    const bad = await house.images.validate("debian-12");
    expect(bad.report.usable).toBe(false);
    expect(bad.image.state).toMatchObject({
      kind: "failed",
      failure: { code: "images.broken" },
    });
    await house.restart();
    expect((await house.images.show("debian-12")).state.kind).toBe("failed");
    await house.images.obtain("debian-12", {}, undefined);
    expect((await house.images.show("debian-12")).state.kind).toBe("ready");
  });

  test("revisions only grow, over restarts too", async () => {
    const house = await open({ catalog: catalog.value });
    await house.images.obtain("debian-12", {}, undefined);
    const seen = house.told.map((told) =>
      "revision" in told ? told.revision : 0,
    );
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(new Set(seen).size).toBe(seen.length);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await house.restart();
    expect((await house.images.show("debian-12")).revision).toBeGreaterThan(
      seen.at(-1) ?? 0,
    );
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 10_000; Date.now() < end;) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it never came true");
}
