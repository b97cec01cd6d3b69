import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { makePrivateFolder } from "../../../src/base/files.ts";
import { silentLog } from "../../../src/base/log.ts";
import { endAbandonedPreparations } from "../../../src/helper/images/prepare/preparationMachine.ts";
import { layoutOf } from "../../../src/helper/store/layout.ts";

test("a preparation machine whose helper was killed is ended, and nothing else (B15)", async () => {
  const home = await mkdtemp(join(tmpdir(), "gh-gone-"));
  const layout = layoutOf(home);
  await makePrivateFolder(layout.run);
  const qemu = (name: string) =>
    execa(
      "qemu-system-x86_64",
      [
        ...["-S", "-nodefaults", "-display", "none", "-accel", "tcg"],
        "-chardev",
        `socket,id=qmp,path=${join(layout.run, name)}.qmp,server=on,wait=off`,
        ...["-mon", "chardev=qmp,mode=control"],
      ],
      { reject: false },
    );
  const abandoned = qemu("prep-12345678");
  const machine = qemu("0123456789ab");
  const bystander = execa(
    process.execPath,
    ["-e", "setTimeout(() => {}, 60_000)", join(layout.run, "prep-")],
    { reject: false },
  );
  try {
    await new Promise((resolve) => setTimeout(resolve, 500));
    await endAbandonedPreparations(layout, silentLog);
    expect((await abandoned).signal).toBe("SIGKILL");
    for (const { pid } of [machine, bystander])
      // Signal 0 only asks whether the process is there; it throws when not.
      expect(process.kill(pid ?? -1, 0)).toBe(true);
  } finally {
    machine.kill("SIGKILL");
    bystander.kill("SIGKILL");
    await Promise.all([machine, bystander]);
    await rm(home, { recursive: true, force: true });
  }
});
