import { execa } from "execa";
import { createHash } from "node:crypto";
import {
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { uefiFirmware } from "../../../src/helper/images/disks/firmware.ts";
import { withFile } from "../../../src/helper/images/windows/iso/byteReader.ts";
import { inspectWindowsIso } from "../../../src/helper/images/windows/iso/inspectIso.ts";
import { makeNoPromptOverlay } from "../../../src/helper/images/windows/iso/noPrompt.ts";
import { openUdf } from "../../../src/helper/images/windows/iso/udf.ts";
import { makeStandIn, missingPrograms, type StandIn } from "./windowsIso.ts";

const missing = await missingPrograms();
const firmware = await uefiFirmware("amd64").catch(() => undefined);
const signal = new AbortController().signal;
const digest = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

describe.skipIf(missing.length > 0)(
  `an ISO of Windows' shape (skipped without ${missing.join(", ") || "genisoimage and wimlib"})`,
  () => {
    let folder: string;
    let standIn: StandIn;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "windows iso "));
      standIn = await makeStandIn(folder, { folders: 300 });
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    test("tells its editions, languages, version and processor", async () => {
      const { sizeBytes, ...iso } = await inspectWindowsIso(standIn.iso);
      expect(sizeBytes).toBe((await readFile(standIn.iso)).length);
      const common = {
        installationType: "Client",
        architecture: "amd64",
        languages: ["en-US", "de-DE"],
      };
      expect(iso).toEqual({
        installImage: "sources/install.wim",
        editions: [
          {
            ...common,
            index: 1,
            name: "Windows 11 Home",
            editionId: "Core",
            version: "10.0.22631.1742",
          },
          {
            ...common,
            index: 2,
            name: "Windows 11 Pro für “alle”",
            editionId: "Professional",
            version: "10.0.26100.1742",
          },
        ],
        architectures: ["amd64"],
        languages: ["en-US", "de-DE"],
        version: "10.0.26100.1742",
        bootsByUefi: true,
        hasNoPromptLoader: true,
      });
    });

    test("UDF: files come as they are, whatever the case of their names and the size of their folder", async () => {
      await withFile(standIn.iso, async (reader) => {
        const volume = await openUdf(reader);
        const whole = async (path: string): Promise<Buffer | undefined> => {
          const file = await volume.find(path);
          return file && volume.read(file, 0, file.sizeBytes);
        };
        expect(
          (await whole("SOURCES/Install.WIM"))?.equals(
            await readFile(standIn.wim),
          ),
        ).toBe(true);
        expect(
          (
            await whole("sources/inf/a file with a long name 299 ü €.inf")
          )?.toString(),
        ).toBe("x");
        expect(await volume.find("sources/none")).toBeUndefined();
        expect(await volume.find("README.TXT/x")).toBeUndefined();
        const wim = await volume.find("sources/install.wim");
        if (wim === undefined) throw new Error("no install.wim");
        await expect(volume.read(wim, wim.sizeBytes - 1, 2)).rejects.toThrow(
          /shorter than it should be/,
        );
      });
    });

    test("an ISO that was cut off, and one that was damaged anywhere, are told as such", async () => {
      const cut = join(folder, "cut.iso");
      await execa("cp", [standIn.iso, cut]);
      await truncate(cut, 900_000);
      await expect(inspectWindowsIso(cut)).rejects.toThrow(/The ISO/);
      const told: number[] = [];
      for (const sector of [32, 33, 34, 35, 256, 257, 258, 259, 260, 261]) {
        const damaged = join(folder, "damaged.iso");
        await execa("cp", [standIn.iso, damaged]);
        const file = await open(damaged, "r+");
        await file.write(Buffer.alloc(2048, 0xa5), 0, 2048, sector * 2048);
        await file.close();
        await inspectWindowsIso(damaged).catch((error: unknown) => {
          expect(error).toHaveProperty("failure.code", "images.invalid");
          told.push(sector);
        });
      }
      // Where what lies differs with the program that wrote the ISO; without its anchor nothing is found.
      expect(told).toContain(256);
      expect(told.length).toBeGreaterThan(5);
    });

    test("other ISOs are refused with what would do", async () => {
      const plain = join(folder, "plain.iso");
      await execa("genisoimage", [
        "-quiet",
        "-o",
        plain,
        join(folder, "content"),
      ]);
      await expect(inspectWindowsIso(plain)).rejects.toHaveProperty(
        "failure.code",
        "images.invalid",
      );
      const data = join(folder, "data.iso");
      await execa("genisoimage", [
        ...["-quiet", "-udf", "-o", data, join(folder, "content")],
      ]);
      await expect(inspectWindowsIso(data)).rejects.toMatchObject({
        failure: {
          code: "request.invalid",
          message: expect.stringContaining("no installation medium") as string,
        },
      });
      await expect(
        inspectWindowsIso(join(folder, "install.wim")),
      ).rejects.toHaveProperty("failure.code", "images.invalid");
    });

    test("the overlay that needs no key differs in the boot catalog's one sector, and the ISO stays as it is", async () => {
      const before = await digest(standIn.iso);
      const overlay = join(folder, "no prompt.qcow2");
      await makeNoPromptOverlay(standIn.iso, overlay, signal);
      const raw = join(folder, "seen.raw");
      await execa("qemu-img", ["convert", "-O", "raw", overlay, raw]);
      expect(await digest(standIn.iso)).toBe(before);

      const [iso, seen] = [await readFile(standIn.iso), await readFile(raw)];
      expect(seen.length).toBe(iso.length);
      const sectors = new Set<number>();
      for (let at = 0; at < iso.length; at += 2048)
        if (!iso.subarray(at, at + 2048).equals(seen.subarray(at, at + 2048)))
          sectors.add(at / 2048);
      expect([...sectors]).toEqual([iso.readUInt32LE(17 * 2048 + 71)]);
      expect(bootImageOf(iso).equals(standIn.promptImage)).toBe(true);
      expect(bootImageOf(seen).equals(standIn.noPromptImage)).toBe(true);
      expect(await readdir(folder)).not.toContain(
        expect.stringMatching(/\.patch$/),
      );
    });

    test.skipIf(firmware === undefined)(
      "UEFI firmware starts the ISO's asking loader, and the overlay's other one, with no key pressed (skipped without OVMF)",
      async () => {
        const overlay = join(folder, "boot.qcow2");
        await makeNoPromptOverlay(standIn.iso, overlay, signal);
        const [asking, other] = await Promise.all([
          serialOf(standIn.iso, "raw"),
          serialOf(overlay, "qcow2"),
        ]);
        expect(asking).toContain("\nstarted by the prompt loader");
        expect(other).toContain("\nstarted by the noprompt loader");
      },
      300_000,
    );

    test("an ISO without such a loader gets no overlay", async () => {
      const other = await mkdtemp(join(folder, "other-"));
      const { iso } = await makeStandIn(other, { withoutNoPrompt: true });
      const overlay = join(other, "overlay.qcow2");
      await expect(
        makeNoPromptOverlay(iso, overlay, signal),
      ).rejects.toHaveProperty("failure.code", "request.invalid");
      expect(await readdir(other)).not.toContain("overlay.qcow2");
      expect((await inspectWindowsIso(iso)).hasNoPromptLoader).toBe(false);
    });
  },
);

/** What a machine with nothing but this CD writes to its serial line; the started script switches it off. */
async function serialOf(path: string, driver: string): Promise<string> {
  const { stdout } = await execa(
    "qemu-system-x86_64",
    [
      ...["-M", "q35", "-accel", "tcg", "-m", "256"],
      ...["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"],
      ...["-bios", firmware ?? ""],
      "-blockdev",
      `driver=${driver},node-name=cd,read-only=on,file.driver=file,file.filename=${path}`,
      ...["-device", "ide-cd,drive=cd,bus=ide.0"],
    ],
    { stdin: "ignore", timeout: 280_000 },
  );
  return stdout;
}

/** The UEFI boot image as isoinfo's own reading of the catalog has it: section of the platform 0xEF. */
function bootImageOf(iso: Buffer): Buffer {
  const catalog = iso.readUInt32LE(17 * 2048 + 71) * 2048;
  for (let at = catalog + 64; at < catalog + 2048; at += 32)
    if (iso.readUInt8(at) === 0x91 && iso.readUInt8(at + 1) === 0xef) {
      const start = iso.readUInt32LE(at + 32 + 8) * 2048;
      return iso.subarray(start, start + 1_474_560);
    }
  throw new Error("no UEFI entry");
}

test("a file that is no ISO is told as such", async () => {
  const folder = await mkdtemp(join(tmpdir(), "no-iso-"));
  try {
    const path = join(folder, "x.iso");
    await writeFile(path, "hello");
    await expect(inspectWindowsIso(path)).rejects.toHaveProperty(
      "failure.code",
      "images.invalid",
    );
    for (const none of [folder, join(folder, "y.iso"), join(path, "z.iso")])
      await expect(inspectWindowsIso(none)).rejects.toHaveProperty(
        "failure.code",
        "request.invalid",
      );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
