import { createHash } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { goldenFacts } from "../../unit/helper/images/goldenFacts.ts";
import { catalogOf } from "./house.ts";
import { files, recipeOf, usePublisher } from "./publisher.ts";

const its = usePublisher();

describe("a catalog image, downloaded", () => {
  test("comes into the store under the digest of its disk, sealed, and leaves nothing else (B26)", async () => {
    const house = await its.open({ catalog: catalogOf(its.server) });
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
    expect(record.source).toMatchObject({
      kind: "catalog",
      url: its.server.url,
    });
    expect(house.told.at(-1)).toEqual(record);
  });

  test("is there at once the second time, and after a restart (B26)", async () => {
    const house = await its.open({ catalog: catalogOf(its.server) });
    const first = await house.images.obtain("debian-12", {}, undefined);
    await its.server.close();
    expect(await house.images.obtain("debian-12", {}, undefined)).toEqual(
      first,
    );
    await house.restart();
    expect(await house.images.resolve("debian-12")).toEqual(first);
    expect(await house.images.resolve(first.digest)).toEqual(first);
    expect(house.prepared).toBe(1);
  });

  test("finds its name again when names.json is lost or garbled", async () => {
    const house = await its.open({ catalog: catalogOf(its.server) });
    const { digest } = await house.images.obtain("debian-12", {}, undefined);
    await writeFile(house.layout.imageNames, "{ half");
    await house.restart();
    expect((await house.images.resolve("debian-12")).digest).toBe(digest);
  });

  test("is made once for callers at once (B19)", async () => {
    const house = await its.open({ catalog: catalogOf(its.server) });
    const made = await Promise.all(
      [1, 2, 3].map(() => house.images.obtain("debian-12", {}, undefined)),
    );
    expect(new Set(made.map(({ digest }) => digest)).size).toBe(1);
    expect(house.prepared).toBe(1);
    expect(its.server.requests).toHaveLength(1);
  });

  test("can be cancelled and goes on where it was", async () => {
    its.server.behaviours = [{ delayMs: 30 }];
    const house = await its.open({ catalog: catalogOf(its.server) });
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
    its.server.behaviours = [{}];
    await house.images.obtain("debian-12", {}, undefined);
    expect(its.server.requests.at(-1)?.range).toMatch(/^bytes=[1-9]/);
  });

  test("is refused when it is not what was published, and is not kept (B26)", async () => {
    its.server.behaviours = [{ content: its.other }];
    const house = await its.open({ catalog: catalogOf(its.server) });
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
    its.server.behaviours = [{}];
    await house.images.obtain("debian-12", {}, undefined);
    expect((await house.images.show("debian-12")).state.kind).toBe("ready");
  });

  test("is not downloaded when the publisher lists no checksum for it (B26)", async () => {
    its.server.sums = () => `${"0".repeat(64)}  something-else.qcow2\n`;
    const house = await its.open({ catalog: catalogOf(its.server) });
    await expect(
      house.images.obtain("debian-12", {}, undefined),
    ).rejects.toMatchObject({
      failure: {
        code: "images.downloadFailed",
        message: expect.stringContaining("lists no sha256 for it") as string,
      },
    });
    expect(its.server.requests).toEqual([]);
  });

  test("is refused with the reasons when its facts speak against it (B11)", async () => {
    const house = await its.open({
      catalog: catalogOf(its.server),
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
    const house = await its.open({ catalog: catalogOf(its.server) });
    const left = join(house.layout.work, "debian-12-dead", "out");
    await mkdir(left, { recursive: true });
    await writeFile(join(left, "disk.qcow2"), "half");
    await house.restart();
    expect(await files(house.layout.work)).toEqual([]);
  });
});

describe("a catalog image with a recipe", () => {
  test("is built when its publisher can't be reached", async () => {
    await its.server.close();
    const { recipes, builds } = recipeOf(() => its.other);
    const house = await its.open({
      catalog: catalogOf(its.server, "debian-12"),
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
    await its.server.close();
    const { recipes, builds } = recipeOf(() => its.other);
    const house = await its.open({
      catalog: catalogOf(its.server, "debian-12"),
      recipes,
    });
    await expect(
      house.images.obtain("debian-12", { method: "download" }, undefined),
    ).rejects.toMatchObject({ failure: { code: "images.downloadFailed" } });
    expect(builds()).toBe(0);
  });

  test("is not built instead of a download that was tampered with (B26)", async () => {
    its.server.behaviours = [{ content: its.other }];
    const { recipes, builds } = recipeOf(() => its.other);
    const house = await its.open({
      catalog: catalogOf(its.server, "debian-12"),
      recipes,
    });
    await expect(
      house.images.obtain("debian-12", {}, undefined),
    ).rejects.toMatchObject({ failure: { code: "images.digestMismatch" } });
    expect(builds()).toBe(0);
  });

  test("is kept in the cache that data folders share, and taken from there", async () => {
    const cache = join(its.folder, "cache");
    const env = { GUESTHOUSE_IMAGE_CACHE: cache };
    const { recipes, builds } = recipeOf(() => its.other);
    const options = {
      catalog: catalogOf(its.server, "debian-12"),
      recipes,
      env,
    };
    const first = await its.open(options);
    const built = await first.images.obtain(
      "debian-12",
      { method: "build" },
      undefined,
    );
    const second = await its.open(options);
    const taken = await second.images.obtain("debian-12", {}, undefined);
    expect(taken.digest).toBe(built.digest);
    expect(taken.kernelArguments).toBe(built.kernelArguments);
    expect(await readFile(taken.files.initrd, "utf8")).toBe("initrd");
    expect(builds()).toBe(1);
    expect(its.server.paths).toEqual([]);

    await second.images.obtain(
      "debian-12",
      { method: "build", force: true },
      undefined,
    );
    expect(builds()).toBe(2);

    // A damaged entry is passed over: here the publisher is asked instead.
    await writeFile(join(cache, "key-1", "disk.qcow2"), "damaged");
    const third = await its.open(options);
    await third.images.obtain("debian-12", {}, undefined);
    expect(its.server.requests).toHaveLength(1);
    expect(await files(third.layout.work)).toEqual([]);
  });
});
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 10_000; Date.now() < end;) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it never came true");
}
