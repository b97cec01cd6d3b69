import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openNamespace } from "./namespace.ts";
import type { Peer } from "./peer.ts";

/** Here to say why it is not measured, rather than to be missing from the table. */
export const lxd: Peer = {
  name: "LXD: copy, start",
  kind: "create",
  programs: { lxd: "lxd", lxc: "lxd-client" },
  async whyNot() {
    const words = await askForMachine();
    return words === undefined
      ? "its virtual machines start by UEFI only, and our image has no boot loader"
      : `LXD says “${words}”`;
  },
  prepare: () => Promise.reject(new Error("there is no way to measure it yet")),
};

/** LXD's own words when it can't make a virtual machine on this host; undefined when it can. */
async function askForMachine(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "gh-lxd-"));
  const namespace = await openNamespace(folder, []);
  const options = { env: { LXD_DIR: folder, HOME: folder } };
  const lxc = (...args: string[]): Promise<string> =>
    namespace.run("lxc", args, options);
  try {
    // It wants version 2 of the control groups only, whatever the host has.
    await namespace.run("umount", ["--recursive", "/sys/fs/cgroup"]);
    await namespace.run("mount", ["-t", "cgroup2", "none", "/sys/fs/cgroup"]);
    namespace.start("lxd", ["--group", "root"], options);
    await namespace.run("lxd", ["waitready", "--timeout=30"], options);
    await lxc("storage", "create", "default", "dir");
    await lxc("init", "--empty", "--vm", "bench", "--storage", "default");
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return text.slice(text.lastIndexOf("Error: ") + "Error: ".length).trim();
  } finally {
    await namespace[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}
