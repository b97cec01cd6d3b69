import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuestParts } from "../../../../../src/helper/images/build/layers.ts";
import {
  buildKey,
  readBuildInputs,
} from "../../../../../src/helper/images/build/key.ts";

describe("build key", () => {
  let guest: string;
  beforeEach(async () => {
    guest = await mkdtemp(join(tmpdir(), "guest-"));
    await mkdir(join(guest, "debian/files/etc"), { recursive: true });
    await mkdir(join(guest, "handoff"));
    await writeFile(join(guest, "image-facts.sh"), "facts");
    await writeFile(
      join(guest, "debian/packages.txt"),
      "# kernel\n%KERNEL%\nsudo # root\n",
    );
    await writeFile(join(guest, "debian/files/etc/fstab"), "none");
  });
  afterEach(() => rm(guest, { recursive: true }));

  const parts = (): GuestParts => ({
    resources: guest,
    compiled: join(guest, "dist"),
  });
  const key = async (
    options: Partial<Parameters<typeof readBuildInputs>[1]> = {},
  ): Promise<string> =>
    buildKey(
      await readBuildInputs(parts(), {
        release: "bookworm",
        layers: [],
        arch: "amd64",
        diskGiB: 20,
        ...options,
      }),
    );

  test("is the same for the same inputs, in whatever order they stand", async () => {
    const inputs = await readBuildInputs(parts(), {
      release: "bookworm",
      layers: [],
      arch: "amd64",
      diskGiB: 20,
    });
    expect(inputs.packages).toEqual(["linux-image-amd64", "sudo"]);
    const reversed = Object.fromEntries(Object.entries(inputs).reverse());
    expect(buildKey(reversed as unknown as typeof inputs)).toBe(
      buildKey(inputs),
    );
    expect(await key()).toBe(buildKey(inputs));
    expect(await key()).toMatch(/^[0-9a-f]{32}$/);
  });

  test("changes with every input", async () => {
    const keys = [await key(), await key({ arch: "arm64" })];
    keys.push(await key({ diskGiB: 10 }), await key({ release: "trixie" }));
    await writeFile(join(guest, "debian/files/etc/fstab"), "other");
    keys.push(await key());
    await writeFile(join(guest, "debian/files/etc/motd"), "");
    keys.push(await key());
    await writeFile(join(guest, "handoff/handoff"), "service");
    keys.push(await key());
    await writeFile(join(guest, "image-facts.sh"), "more facts");
    keys.push(await key());
    await writeFile(join(guest, "debian/packages.txt"), "%KERNEL%\n");
    keys.push(await key());
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("a release's files and a layer's are only in the images that have them", async () => {
    const plain = await key();
    const trixie = { release: "trixie" } as const;
    const newer = await key(trixie);
    await mkdir(join(guest, "debian/trixie"));
    await writeFile(join(guest, "debian/trixie/masked-units.txt"), "a.service");
    expect(await key()).toBe(plain);
    expect(await key(trixie)).not.toBe(newer);

    await mkdir(join(guest, "engine"));
    await writeFile(join(guest, "engine/packages.txt"), "docker.io\nsudo\n");
    await writeFile(join(guest, "engine/compiled.txt"), "cli /usr/lib/cli\n");
    await mkdir(join(guest, "dist/cli"), { recursive: true });
    await writeFile(join(guest, "dist/cli/cli.js"), "1");
    const layers = ["engine"] as const;
    const inputs = await readBuildInputs(parts(), {
      release: "trixie",
      layers,
      arch: "amd64",
      diskGiB: 20,
    });
    expect(inputs.packages).toEqual(["docker.io", "linux-image-amd64", "sudo"]);
    expect(Object.keys(inputs.files)).toEqual(
      expect.arrayContaining(["engine/packages.txt", "compiled/cli/cli.js"]),
    );
    expect(await key()).toBe(plain);
    const before = await key({ layers });
    await writeFile(join(guest, "dist/cli/cli.js"), "2");
    expect(await key({ layers })).not.toBe(before);
  });
});
