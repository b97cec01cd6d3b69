import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { silentLog } from "../../../src/base/log.ts";
import {
  createImages,
  type Images,
} from "../../../src/helper/images/images.ts";
import type { InstallWish } from "../../../src/helper/images/windows/install/wishes.ts";
import { readInstall } from "../../../src/helper/images/windows/install/record.ts";
import {
  type WindowsVmSpec,
  windowsQemuArguments,
} from "../../../src/helper/qemu/windowsCommandLine.ts";
import {
  type InstallFiles,
  layoutOf,
} from "../../../src/helper/store/layout.ts";
import type { Image } from "../../../src/protocol/images.ts";

/** Where and how Windows is installed; all of it can be handed to another process. */
export interface HouseSpec {
  readonly home: string;
  readonly resources: string;
  readonly wish: { readonly name: string };
  /** Without it the machine goes through its firmware. */
  readonly direct?: {
    readonly kernel: string;
    readonly initrd: string;
    readonly arguments: string;
  };
  readonly stallMs?: number;
  readonly reachMs?: number;
  readonly memoryMiB: number;
}

/** With Windows' ISO. */
export interface IsoHouse extends HouseSpec {
  readonly wish: InstallWish & { readonly name: string };
}

/** Stands in for the package of 5 MB. */
export const openSsh = Buffer.alloc(300_001, "an installer ");

/** The images room as the helper has it, emulating machines; what the installation's limits are is made small. */
export const imagesOf = (
  spec: HouseSpec,
  onChanged: (image: Image) => void,
  onRemoved: (name: string, revision: number) => void = () => undefined,
): Promise<Images> =>
  createImages({
    layout: layoutOf(spec.home),
    resources: spec.resources,
    architecture: "amd64",
    log: silentLog,
    usedBy: () => [],
    accelerator: () => Promise.resolve({ kind: "tcg", reason: "", trials: [] }),
    onChanged,
    onRemoved,
    env: {},
    windows: {
      pollMs: 200,
      stallMs: spec.stallMs ?? 60_000,
      giveUpMs: 100_000,
      reachMs: spec.reachMs ?? 100_000,
      sshAfterMs: 0,
      offTimeoutMs: 60_000,
      diskBytes: 64 * 1024 ** 2,
      roomBytes: 0,
      cpus: 1,
      memoryMiB: spec.memoryMiB,
      openSsh: {
        url: "http://127.0.0.1:1/",
        sha256: createHash("sha256").update(openSsh).digest("hex"),
        file: "OpenSSH-Win64.msi",
      },
      qemuArguments: (vm) => argumentsOf(vm, spec.direct),
    },
  });

/**
 * The machine of Windows without its firmware: that takes ten seconds for each start. Without its TPM, too: for that the
 * ACPI tables reach further down than QEMU keeps free above the initrd, which then lies on them, and without ACPI nothing
 * restarts or switches off as it should.
 */
function argumentsOf(vm: WindowsVmSpec, direct: HouseSpec["direct"]): string[] {
  const all = windowsQemuArguments(vm);
  if (direct === undefined) return all;
  const left = /pflash|node-name=(firmware|variables)\b|\btpm/;
  return [
    ...all.filter(
      (word, at) => !left.test(word) && !left.test(all[at + 1] ?? ""),
    ),
    ...["-kernel", direct.kernel, "-initrd", direct.initrd],
    ...["-append", direct.arguments],
  ];
}

/** Lets the player go on where it stands, over its console. */
export interface Director {
  readonly files: InstallFiles;
  /** Waits until it stands there. */
  readonly stands: (at: string) => Promise<void>;
  readonly go: () => void;
  readonly close: () => void;
}

export async function direct(spec: HouseSpec): Promise<Director> {
  const layout = layoutOf(spec.home);
  const { name } = spec.wish;
  const record = await until(() => readInstall(layout, name));
  const files = layout.install(name, record.id);
  const socket = await until(() => connected(files.consoleSocket));
  return {
    files,
    stands: async (at) => {
      await until(async () =>
        (await readFile(files.log, "utf8")).includes(`standing at ${at}`)
          ? true
          : undefined,
      );
    },
    go: () => socket.write("go\n"),
    close: () => socket.destroy(),
  };
}

const connected = (path: string): Promise<Socket | undefined> =>
  new Promise((resolve) => {
    const socket = createConnection(path, () => {
      socket.resume();
      resolve(socket);
    });
    socket.on("error", () => resolve(undefined));
  });

/** Waits for a fact; the test's own time limit ends it. */
export async function until<T>(
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
