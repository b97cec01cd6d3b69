import { execa } from "execa";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isoVolume } from "../../../src/helper/guests/seed/iso9660.ts";
import {
  seedFiles,
  writeSeed,
  writeVolume,
} from "../../../src/helper/guests/seed/seed.ts";
import { windowsSeedFiles } from "../../../src/helper/guests/seed/windowsSeed.ts";
import { generateHostKey } from "../../../src/helper/ssh/keys.ts";

const isoinfo = await execa("isoinfo", ["--version"], { reject: false });
const blkid = await execa("blkid", ["-V"], { reject: false });

describe("B1, B2: a written seed, read by others' programs", () => {
  let folder: string;
  let path: string;
  const spec = {
    instanceId: "iid-7",
    hostname: "box-7",
    user: "dev",
    authorizedKeys: [generateHostKey().publicKey],
    hostKey: generateHostKey(),
    macAddress: "52:54:00:00:00:07",
    network: { kind: "dhcp" },
  } as const;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "seed-"));
    path = join(folder, "seed.iso");
    await writeSeed(path, spec);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.skipIf(isoinfo.exitCode !== 0)(
    "isoinfo lists and reads the Joliet names, byte for byte (skipped without isoinfo)",
    async () => {
      const list = await execa("isoinfo", ["-J", "-f", "-i", path]);
      expect(list.stdout.split("\n").sort()).toEqual([
        "/meta-data",
        "/network-config",
        "/user-data",
      ]);
      for (const [name, content] of Object.entries(seedFiles(spec))) {
        const { stdout } = await execa(
          "isoinfo",
          ["-J", "-x", `/${name}`, "-i", path],
          { stripFinalNewline: false },
        );
        expect(stdout).toBe(content);
      }
      const { stdout } = await execa("isoinfo", ["-d", "-i", path]);
      expect(stdout).toContain("Volume id: cidata");
      expect(stdout).toContain("Joliet with UCS level 3 found");
    },
  );

  test.skipIf(isoinfo.exitCode !== 0)(
    "isoinfo reads the names for kernels without Joliet (skipped without isoinfo)",
    async () => {
      const { stdout } = await execa("isoinfo", ["-f", "-i", path]);
      expect(stdout.toLowerCase().split("\n").sort()).toEqual([
        "/meta-data.;1",
        "/network-config.;1",
        "/user-data.;1",
      ]);
    },
  );

  test.skipIf(isoinfo.exitCode !== 0)(
    "files of many sectors and many files come out whole (skipped without isoinfo)",
    async () => {
      const big = join(folder, "big.iso");
      const content = "0123456789abcdef".repeat(40_000);
      await writeFile(
        big,
        isoVolume("x", [
          { name: "a", content },
          { name: "empty", content: "" },
          { name: "z", content: "last" },
        ]),
      );
      const read = (name: string) =>
        execa("isoinfo", ["-J", "-x", `/${name}`, "-i", big], {
          maxBuffer: 10_000_000,
        });
      expect((await read("a")).stdout === content).toBe(true);
      expect((await read("z")).stdout).toBe("last");
    },
  );

  test.skipIf(blkid.exitCode !== 0)(
    "blkid finds the label that cloud-init looks for (skipped without blkid)",
    async () => {
      const { stdout } = await execa("blkid", ["-p", "-o", "export", path]);
      expect(stdout).toContain("LABEL=cidata");
      expect(stdout).toContain("TYPE=iso9660");
    },
  );
});

test.skipIf(isoinfo.exitCode !== 0)(
  "B1: the seed of a generalized Windows, read byte for byte by another program (skipped without isoinfo)",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "seed-"));
    try {
      const path = join(folder, "seed.iso");
      const files = windowsSeedFiles({
        ...{ instanceId: "iid-7", name: "box-7", user: "dev" },
        authorizedKeys: [generateHostKey().publicKey],
      });
      await writeVolume(path, "box-7", () => files);
      const label = await execa("isoinfo", ["-d", "-i", path]);
      expect(label.stdout).toContain("Volume id: cidata");
      const list = await execa("isoinfo", ["-J", "-f", "-i", path]);
      expect(list.stdout.split("\n").sort()).toEqual([
        "/meta-data",
        "/user-data",
      ]);
      for (const [name, content] of Object.entries(files)) {
        const { stdout } = await execa(
          "isoinfo",
          ["-J", "-x", `/${name}`, "-i", path],
          { stripFinalNewline: false },
        );
        expect(stdout).toBe(content);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
