import { describe, expect, test } from "vitest";
import {
  planModules,
  rootDiskModules,
} from "../../../../../src/helper/images/build/modules.ts";

const debian12 = {
  dependencies: `kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_pci_legacy_dev.ko kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_pci_legacy_dev.ko:
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/arch/x86/crypto/crc32c-intel.ko:
kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/fs/mbcache.ko
kernel/fs/jbd2/jbd2.ko:
kernel/fs/mbcache.ko:
kernel/sound/snd.ko:
`,
  builtin: "kernel/crypto/crc32c_generic.ko\n",
};

describe("modules of the initrd", () => {
  test("every module comes after what it depends on, once", () => {
    const order = planModules(debian12, rootDiskModules);
    const at = (name: string): number =>
      order.findIndex((path) => path.endsWith(`/${name}.ko`));
    expect(new Set(order).size).toBe(order.length);
    expect(at("virtio_ring")).toBeLessThan(at("virtio"));
    expect(at("virtio")).toBeLessThan(at("virtio_pci"));
    expect(at("virtio")).toBeLessThan(at("virtio_blk"));
    expect(at("jbd2")).toBeLessThan(at("ext4"));
    expect(at("crc32c-intel")).toBeLessThan(at("ext4"));
    expect(at("snd")).toBe(-1);
  });

  test("no module is outside of its kernel's folder, whatever the guest wrote", () => {
    for (const line of [
      "kernel/fs/ext4/ext4.ko: ../../../../root/.ssh/authorized_keys",
      "../../../etc/cron.d/virtio_blk.ko:",
    ])
      expect(() =>
        planModules(
          {
            ...debian12,
            dependencies: `${debian12.dependencies}${line}\n`,
          },
          rootDiskModules,
        ),
      ).toThrow(/outside/);
  });

  test("compressed module files count (Debian 13)", () => {
    const index = {
      dependencies:
        "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz\nkernel/fs/jbd2/jbd2.ko.xz:\n",
      builtin: "",
    };
    expect(planModules(index, [{ name: "ext4" }])).toEqual([
      "kernel/fs/jbd2/jbd2.ko.xz",
      "kernel/fs/ext4/ext4.ko.xz",
    ]);
  });

  test("B11: a kernel that can't reach its disk is named, what is built in is not", () => {
    const index = {
      dependencies: "",
      builtin: "kernel/fs/ext4/ext4.ko\n",
    };
    expect(() => planModules(index, rootDiskModules)).toThrow(
      "no module virtio_pci, virtio_blk",
    );
  });
});
