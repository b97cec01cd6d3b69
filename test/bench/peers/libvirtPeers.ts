import { rm } from "node:fs/promises";
import { join } from "node:path";
import { connect, libvirtPrograms } from "./libvirt.ts";
import type { Peer } from "./peer.ts";

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
    const libvirt = await stage.libvirt();
    const state = join(stage.folder, "saved.state");
    const reach = { user: stage.user, host: libvirt.address };
    const disk = await libvirt.overlay("saved", await stage.bootedDisk());
    await libvirt.define("saved", disk);
    await libvirt.virsh("start", "saved");
    await stage.untilSsh(reach);
    await libvirt.virsh("save", "saved", state);
    return {
      async run() {
        await libvirt.virsh("restore", state);
        await stage.untilSsh(reach);
      },
      // Saved anew: the disk has gone on, and an older memory would not fit it.
      reset: () => libvirt.virsh("save", "saved", state),
    };
  },
};

/** A snapshot with memory inside the disk's file, loaded into the QEMU that is there already. */
export const libvirtRevert: Peer = {
  name: "libvirt: snapshot-revert",
  kind: "restore",
  programs: libvirtPrograms,
  async prepare(stage) {
    const libvirt = await stage.libvirt();
    const reach = { user: stage.user, host: libvirt.address };
    const disk = await libvirt.overlay("kept", await stage.bootedDisk());
    await libvirt.define("kept", disk);
    await libvirt.virsh("start", "kept");
    await stage.untilSsh(reach);
    await libvirt.virsh("snapshot-create-as", "kept", "here");
    // It stands still while others are measured.
    const rest = (): Promise<string> => libvirt.virsh("suspend", "kept");
    await rest();
    return {
      async run() {
        await libvirt.virsh("snapshot-revert", "kept", "here");
        await stage.untilSsh(reach);
      },
      reset: rest,
    };
  },
};
