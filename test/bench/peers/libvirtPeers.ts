import { rm } from "node:fs/promises";
import { join } from "node:path";
import { connect, type Libvirt, libvirtPrograms } from "./libvirt.ts";
import type { Peer } from "./peer.ts";
import type { Reach, Stage } from "./stage.ts";

/** The leanest way that libvirt offers: a new overlay above the image, a first boot. */
export const libvirtOverlay: Peer = {
  name: "libvirt: overlay, define, start",
  kind: "create",
  programs: libvirtPrograms,
  async prepare(stage) {
    const libvirt = await stage.libvirt();
    let disk = "";
    return {
      async run() {
        disk = await libvirt.overlay("clone", stage.golden.disk);
        await libvirt.define("clone", disk);
        await libvirt.virsh("start", "clone");
        await stage.untilSsh({ user: stage.user, host: libvirt.address });
      },
      async reset() {
        await libvirt.virsh("destroy", "clone");
        await libvirt.virsh("undefine", "clone");
        await rm(disk);
      },
    };
  },
};

/** A copy of a machine that has booted before; what is copied is its small overlay. */
export const virtClone: Peer = {
  name: "virt-clone, start",
  kind: "create",
  programs: { ...libvirtPrograms, "virt-clone": "virtinst" },
  async prepare(stage) {
    const libvirt = await stage.libvirt();
    const source = await libvirt.overlay("source", await stage.bootedDisk());
    await libvirt.define("source", source);
    const copy = join(stage.folder, "copy.qcow2");
    return {
      async run() {
        await stage.namespace.run("virt-clone", [
          ...["-q", ...connect, "-o", "source", "-n", "copy"],
          ...["--file", copy, "--mac", libvirt.mac],
          // Only one of those with this card runs at a time.
          ...["--check", "mac_in_use=off"],
        ]);
        await libvirt.virsh("start", "copy");
        await stage.untilSsh({ user: stage.user, host: libvirt.address });
      },
      async reset() {
        await libvirt.virsh("destroy", "copy");
        await libvirt.virsh("undefine", "copy");
        await rm(copy);
      },
    };
  },
};

/** A machine whose memory lies in a file. */
export const libvirtRestore: Peer = {
  name: "libvirt: restore",
  kind: "restore",
  programs: libvirtPrograms,
  async prepare(stage) {
    const { restore, save } = await savedMachine(stage);
    return { run: restore, reset: save };
  },
};

/** A snapshot with memory inside the disk's file, loaded into a QEMU that is there already. */
export const libvirtRevert: Peer = {
  name: "libvirt: snapshot-revert",
  kind: "restore",
  programs: libvirtPrograms,
  async prepare(stage) {
    const { virsh, reach, restore, save } = await savedMachine(stage);
    return {
      before: restore,
      async run() {
        await virsh("snapshot-revert", "saved", "here");
        await stage.untilSsh(reach);
      },
      reset: save,
    };
  },
};

interface Saved {
  readonly virsh: Libvirt["virsh"];
  readonly reach: Reach;
  readonly restore: () => Promise<void>;
  readonly save: () => Promise<unknown>;
}

const machines = new WeakMap<Stage, Promise<Saved>>();

/** One machine for all that go back to something: it has a snapshot `here`, and lies in a file while it isn't measured. */
function savedMachine(stage: Stage): Promise<Saved> {
  const making = machines.get(stage) ?? makeSaved(stage);
  machines.set(stage, making);
  return making;
}

async function makeSaved(stage: Stage): Promise<Saved> {
  const { virsh, overlay, define, address } = await stage.libvirt();
  const reach = { user: stage.user, host: address };
  const state = join(stage.folder, "saved.state");
  await define("saved", await overlay("saved", await stage.bootedDisk()));
  await virsh("start", "saved");
  await stage.untilSsh(reach);
  await virsh("snapshot-create-as", "saved", "here");
  // Saved anew each time: the disk has gone on, and an older memory would not fit it.
  const save = (): Promise<unknown> => virsh("save", "saved", state);
  await save();
  return {
    virsh,
    reach,
    save,
    async restore() {
      await virsh("restore", state);
      await stage.untilSsh(reach);
    },
  };
}
