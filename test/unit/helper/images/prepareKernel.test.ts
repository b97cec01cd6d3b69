import { describe, expect, it } from "vitest";
import { parseGuestKernel } from "../../../../src/helper/images/prepareKernel.ts";

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
    ["a kernel that was not found", printed({ kernel: "" })],
    ["no initrd", printed({ initrd: "" })],
    ["a loader that names no root", printed({ arguments: "console=ttyS0" })],
    ["nothing", ""],
  ])("leaves the boot loader in charge with %s", (_what, text) => {
    expect(parseGuestKernel(text)).toBeUndefined();
  });
});
