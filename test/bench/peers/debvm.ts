import { existsSync } from "node:fs";
import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Peer } from "./peer.ts";
import { shape } from "./stage.ts";

const port = 2222;

/** debvm's own image: no cloud-init, Debian's kernel and initrd, started with `-snapshot`. */
export const debvmRun: Peer = {
  name: "debvm-run (its own image)",
  kind: "create",
  programs: { "debvm-create": "debvm", "debvm-run": "debvm" },
  async prepare({ namespace, cache, folder, key, untilSsh }) {
    const image = join(cache, "debvm.ext4");
    if (!existsSync(image)) await makeImage(image, key);
    const pidFile = join(folder, "debvm.pid");
    return {
      async run() {
        namespace.start("debvm-run", [
          ...["-s", String(port), "-i", image, "--"],
          // Left to itself it takes KVM wherever the device can be opened.
          ...["-machine", "accel=tcg", "-cpu", "max"],
          ...["-smp", String(shape.cpus), "-m", String(shape.memoryMiB)],
          ...["-snapshot", "-display", "none", "-pidfile", pidFile],
          ...["-serial", `file:${join(folder, "debvm.log")}`],
        ]);
        await untilSsh({ user: "root", host: "127.0.0.1", port });
      },
      async reset() {
        const pid = (await readFile(pidFile, "utf8")).trim();
        await namespace.run("kill", [pid]);
        while (await namespace.succeeds("kill", ["-0", pid]))
          await new Promise((wake) => setTimeout(wake, 50));
      },
    };
  },
};

/** Takes a minute or two, and Debian's mirror: the stage's network of its own leads nowhere. */
async function makeImage(path: string, key: string): Promise<void> {
  const making = `${path}.making`;
  await execa("debvm-create", [
    ...["-o", making, "-r", "bookworm", "-h", "bench", "-k", `${key}.pub`],
  ]);
  await rename(making, path);
}
