import { access, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  endProcess,
  isSameProcess,
  launchQemu,
  type LaunchedQemu,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import {
  endStraySwtpms,
  findSwtpm,
  removeSwtpm,
  startSwtpm,
  type SwtpmFiles,
  swtpmProgram,
} from "../../../src/helper/qemu/swtpm.ts";
import { owned, qemuBinary, scratchFolder } from "./workbench.ts";

const binary = (await swtpmProgram()) ?? "";

describe.skipIf(binary === "")("swtpm (skipped where it is missing)", () => {
  test("waits privately on its socket and goes with its QEMU, however that ends (B14, B15)", async () => {
    const files = await tpmFiles();
    const tpm = owned(await startSwtpm(binary, files));
    for (const path of [files.socketPath, files.pidFile, files.logPath])
      expect((await stat(path)).mode & 0o077).toBe(0);
    const qemu = await machineWith(files);
    expect(await qemu.qmp.execute("query-tpm")).toMatchObject([
      { options: { type: "emulator" } },
    ]);
    expect(await readdir(files.stateFolder)).toContain("tpm2-00.permall");
    await endProcess(qemu, "SIGKILL");
    expect(await waitForExit(tpm, 5_000)).toBe(true);
    expect(await findSwtpm(files.socketPath)).toEqual([]);
  });

  test("a machine that is started again at once finds its TPM free, with what it keeps", async () => {
    const files = await tpmFiles();
    for (let start = 0; start < 2; start++) {
      owned(await startSwtpm(binary, files));
      await endProcess(await machineWith(files), "SIGKILL");
    }
    expect(await readdir(files.stateFolder)).toContain("tpm2-00.permall");
  });

  test("for a QEMU that never came it is ended; its state stays", async () => {
    const files = await tpmFiles();
    const tpm = owned(await startSwtpm(binary, files));
    await removeSwtpm(files);
    expect(await isSameProcess(tpm)).toBe(false);
    await expect(access(files.socketPath)).rejects.toThrow("ENOENT");
    await access(files.stateFolder);
  });

  test("one that no QEMU was told of is swept; a living machine's is not", async () => {
    const stray = await tpmFiles();
    const strayTpm = owned(await startSwtpm(binary, stray));
    const files = inFolder(stray.folder, "two");
    const tpm = owned(await startSwtpm(binary, files));
    await machineWith(files);
    await endStraySwtpms(stray.folder);
    expect(await isSameProcess(strayTpm)).toBe(false);
    expect(await isSameProcess(tpm)).toBe(true);
  });

  test("what it says when it can't start is told, and nothing stays behind", async () => {
    const folder = await scratchFolder();
    const files = {
      ...inFolder(folder, "one"),
      socketPath: join(folder, "missing", "socket"),
    };
    await expect(startSwtpm(binary, files)).rejects.toMatchObject({
      failure: {
        code: "machines.startFailed",
        message: expect.stringContaining(
          "Could not open UnixIO socket",
        ) as string,
      },
    });
    expect(await findSwtpm(files.socketPath)).toEqual([]);
    expect(await readdir(folder)).not.toContain("one.tpm.pid");
  });

  test("without the program the reason is told", async () => {
    await expect(
      startSwtpm("/no/such/swtpm", await tpmFiles()),
    ).rejects.toMatchObject({
      failure: { message: expect.stringContaining("ENOENT") as string },
    });
  });
});

const inFolder = (
  folder: string,
  name: string,
): SwtpmFiles & { readonly folder: string } => ({
  folder,
  stateFolder: join(folder, name),
  socketPath: join(folder, `${name}.tpm`),
  pidFile: join(folder, `${name}.tpm.pid`),
  logPath: join(folder, `${name}.log`),
});

const tpmFiles = async (): Promise<ReturnType<typeof inFolder>> =>
  inFolder(await scratchFolder(), "one");

/** A QEMU with nothing but this TPM, which waits before its first instruction. */
async function machineWith({ socketPath }: SwtpmFiles): Promise<LaunchedQemu> {
  const folder = await scratchFolder();
  const qmpSocket = join(folder, "qmp");
  return owned(
    await launchQemu({
      binary: await qemuBinary(),
      args: [
        ...["-M", "q35", "-nodefaults", "-display", "none", "-S"],
        ...["-qmp", `unix:${qmpSocket},server=on,wait=off`],
        ...["-chardev", `socket,id=tpm,path=${socketPath}`],
        ...["-tpmdev", "emulator,id=tpm0,chardev=tpm"],
        ...["-device", "tpm-tis,tpmdev=tpm0"],
      ],
      logPath: join(folder, "qemu.log"),
      cwd: folder,
      qmpSocket,
    }),
  );
}
