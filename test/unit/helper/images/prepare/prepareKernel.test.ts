import { describe, expect, it } from "vitest";
import {
  minimalArguments,
  parseGuestKernel,
  parseMinimalRoot,
} from "../../../../../src/helper/images/prepare/prepareKernel.ts";

const printed = (change: Record<string, string> = {}): string =>
  Object.entries({
    release: "6.1.0-40-amd64",
    kernel: "/boot/vmlinuz-6.1.0-40-amd64",
    initrd: "/boot/initrd.img-6.1.0-40-amd64",
    arguments: "root=UUID=12-34 ro rootflags=subvol=root console=ttyS0",
    ...change,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");

describe("parseGuestKernel", () => {
  it("reads values that hold equals signs themselves", () => {
    expect(parseGuestKernel(`a warning\n${printed()}`)).toEqual({
      release: "6.1.0-40-amd64",
      kernel: "/boot/vmlinuz-6.1.0-40-amd64",
      initrd: "/boot/initrd.img-6.1.0-40-amd64",
      arguments: "root=UUID=12-34 ro rootflags=subvol=root console=ttyS0",
    });
  });

  it.each([
    ["a release that leads elsewhere", printed({ release: "../../etc" })],
    ["an enormous release", printed({ release: "6".repeat(100_000) })],
    [
      "an enormous command line",
      printed({ arguments: `root=/dev/vda ${"x".repeat(100_000)}` }),
    ],
    ["a kernel that was not found", printed({ kernel: "" })],
    ["no initrd", printed({ initrd: "" })],
    ["a loader that names no root", printed({ arguments: "console=ttyS0" })],
    ["nothing", ""],
  ])("leaves the boot loader in charge with %s", (_what, text) => {
    expect(parseGuestKernel(text)).toBeUndefined();
  });
});

describe("an initrd of our own", () => {
  const uuid = "0b1c2d3e-0000-4000-8000-0123456789ab";

  it("is made where the guest says how", () => {
    const text = `Get:1 busybox\nuuid=${uuid}\nbusybox=/tmp/x/busybox\n`;
    expect(parseMinimalRoot(text)).toEqual({ uuid, busybox: "/tmp/x/busybox" });
  });

  it.each([
    "",
    `uuid=${uuid}\n`,
    "uuid=\nbusybox=/x\n",
    `uuid=${uuid}\nbusybox=\n`,
  ])("is not made of “%s”", (text) => {
    expect(parseMinimalRoot(text)).toBeUndefined();
  });

  it("gets the root by UUID and keeps the rest of the line", () => {
    expect(
      minimalArguments(
        "root=PARTUUID=1 ro rootfstype=btrfs modules=ext4 net.ifnames=0 console=ttyS0",
        { uuid, busybox: "/x" },
      ),
    ).toBe(`root=UUID=${uuid} rootfstype=ext4 ro net.ifnames=0 console=ttyS0`);
  });
});
