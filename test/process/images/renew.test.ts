import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { catalogOf } from "./house.ts";
import { files, usePublisher } from "./publisher.ts";

const its = usePublisher();

describe("renewing and deleting", () => {
  test("machines keep the digest they stand on; it goes with the last of them (B6)", async () => {
    const house = await its.open({ catalog: catalogOf(its.server) });
    const { images, users } = house;
    const old = await images.obtain("debian-12", {}, undefined);
    users.set(old.digest, ["web"]);
    its.server.image = its.other;
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
    const house = await its.open({ catalog: catalogOf(its.server) });
    const old = await house.images.obtain("debian-12", {}, undefined);
    its.server.behaviours = [{}, { status: 404 }];
    its.server.image = its.other;
    await expect(
      house.images.obtain("debian-12", { force: true }, undefined),
    ).rejects.toMatchObject({ failure: { code: "images.downloadFailed" } });
    expect((await house.images.show("debian-12")).state.kind).toBe("ready");
    expect((await house.images.resolve("debian-12")).digest).toBe(old.digest);
  });

  test("an image in use is not deleted; the machines are named", async () => {
    const house = await its.open({ catalog: catalogOf(its.server) });
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
    const house = await its.open();
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
    const house = await its.open({ catalog: catalogOf(its.server) });
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
    const house = await its.open({ catalog: catalogOf(its.server) });
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
