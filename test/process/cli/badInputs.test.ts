import { mkdir, mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Household, household } from "../../vm/household.ts";

let house: Household;
let folder: string;

beforeAll(async () => {
  house = await household();
  folder = await mkdtemp(join(tmpdir(), "gh-bad-"));
  await execa("qemu-img", [
    "create",
    "-q",
    "-f",
    "qcow2",
    join(folder, "empty.qcow2"),
    "64M",
  ]);
});
afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Runs what must not succeed; nothing may be left behind. */
async function refusedOf(
  args: readonly string[],
  there: Household = house,
): Promise<{ exitCode: number; stderr: string }> {
  const { exitCode, stderr } = await there.guesthouse(args);
  return { exitCode, stderr };
}

describe("bad inputs end with a clear message and exit code, and lose nothing", () => {
  test("1. wrong checksum (B26)", async () => {
    const { exitCode, stderr } = await refusedOf([
      "image",
      "import",
      join(folder, "empty.qcow2"),
      "--checksum",
      `sha256:${"0".repeat(64)}`,
    ]);
    expect(stderr).toMatch(/checksum|digest|sha256/i);
    expect(exitCode).toBe(1);
  });

  test("2. truncated qcow2", async () => {
    const raw = join(folder, "cut.raw");
    await execa("dd", [
      "if=/dev/urandom",
      `of=${raw}`,
      "bs=1M",
      "count=8",
      "status=none",
    ]);
    const cut = join(folder, "cut.qcow2");
    await execa("qemu-img", ["convert", "-O", "qcow2", raw, cut]);
    await truncate(cut, 3 * 1024 * 1024);
    const { exitCode, stderr } = await refusedOf(["image", "import", cut]);
    expect(stderr).toMatch(
      /truncated|broken|damaged|incomplete|shorter|beyond|end/i,
    );
    expect(exitCode).toBe(1);
  });

  test("a pipe, a folder or a device is no disk image, and is refused at once (F14)", async () => {
    const pipe = join(folder, "pipe.qcow2");
    await execa("mkfifo", [pipe]);
    for (const path of [pipe, folder, "/dev/zero", join(folder, "none.raw")])
      for (const command of ["import", "inspect"]) {
        const { exitCode, stderr } = await refusedOf(["image", command, path]);
        expect([path, exitCode]).toEqual([path, 3]);
        expect(stderr).toContain(path);
      }
  });

  test("3. an unknown image", async () => {
    const { exitCode, stderr } = await refusedOf([
      "create",
      "web",
      "--image",
      "debain-12",
    ]);
    expect(stderr).toMatch(/debain-12/);
    expect(stderr).toMatch(/debian-12/);
    expect(exitCode).toBe(3);
  });

  test("4. a name with shell characters", async () => {
    const { exitCode, stderr } = await refusedOf([
      "create",
      "web; touch /tmp/owned",
    ]);
    expect(stderr).toMatch(
      /can't be a machine's name[^]*Try “web-touch-tmp-owned”/,
    );
    expect(exitCode).toBe(3);
  });

  test("5. no folder short enough for a socket (B22)", async () => {
    const deep = await household({
      GUESTHOUSE_HOME: join(folder, "x".repeat(100)),
      XDG_RUNTIME_DIR: join(folder, "y".repeat(100)),
    });
    const { exitCode, stderr } = await deep.guesthouse(["list"]);
    expect(stderr).toMatch(
      /short enough[^]*Set GUESTHOUSE_HOME or XDG_RUNTIME_DIR/,
    );
    expect(exitCode).toBe(3);
    await rm(deep.home, { recursive: true, force: true });
  });

  test("6. QEMU missing", async () => {
    const empty = join(folder, "no-tools");
    await mkdir(empty, { recursive: true });
    const poor = await household({ GUESTHOUSE_QEMU: empty });
    try {
      const { exitCode, stdout } = await poor.guesthouse(["doctor"]);
      expect(exitCode).toBe(1);
      expect(stdout).toMatch(/✗ QEMU[^\n]*\n {2}→ /);
    } finally {
      await poor[Symbol.asyncDispose]();
    }
  });

  test("7. unknown machine, option and command", async () => {
    expect(await refusedOf(["start", "nobody"])).toEqual({
      exitCode: 3,
      stderr:
        "guesthouse: There is no machine “nobody”.\n  → Create one first.",
    });
    expect((await refusedOf(["start", "nobody", "--wat"])).exitCode).toBe(2);
    expect((await refusedOf(["frobnicate"])).exitCode).toBe(2);
    expect(
      (await refusedOf(["create", "web", "--memory", "lots"])).exitCode,
    ).toBe(2);
    expect(
      await refusedOf([
        "create",
        "web",
        "--memory",
        "9000000G",
        "--cpus",
        "999",
      ]),
    ).toEqual({
      exitCode: 3,
      stderr:
        "guesthouse: A VM has at most 256 processors. Memory can be at most 16 TiB.",
    });
  });

  test("8. a full disk (a small tmpfs)", async ({ skip }) => {
    if (process.getuid?.() !== 0) skip("mounting a tmpfs needs root");
    const small = join(folder, "small");
    await mkdir(small);
    await execa("mount", [
      "-t",
      "tmpfs",
      "-o",
      "size=6m,mode=700",
      "tmpfs",
      small,
    ]);
    const crowded = await household({ GUESTHOUSE_HOME: small });
    try {
      const big = join(folder, "big.raw");
      await execa("dd", [
        "if=/dev/urandom",
        `of=${big}`,
        "bs=1M",
        "count=16",
        "status=none",
      ]);
      const disk = join(folder, "big.qcow2");
      await execa("qemu-img", ["convert", "-O", "qcow2", big, disk]);
      const { exitCode, stderr } = await refusedOf(
        ["image", "import", disk, "--name", "big"],
        crowded,
      );
      expect(stderr).toMatch(/disk is full|no space|not enough|free/i);
      expect(exitCode).toBe(1);
      expect(await readdir(join(small, "work"))).toEqual([]);
      expect((await crowded.guesthouse(["list"])).exitCode).toBe(0);
    } finally {
      await crowded.guesthouse(["daemon", "stop"]);
      await execa("umount", ["-l", small]);
      await rm(crowded.home, { recursive: true, force: true });
    }
  });

  test("9. nothing of the refused attempts is left", async () => {
    expect(await house.json(["list"])).toEqual([]);
    expect(await readdir(join(house.home, "machines"))).toEqual([]);
    expect(await readdir(join(house.home, "work"))).toEqual([]);
  });
});
