import { describe, expect, it } from "vitest";
import { diskFormatOf } from "../../../../../src/helper/images/disks/diskFormat.ts";

/** A head of 36 KiB with bytes at places. */
const head = (...parts: [number, string | number[]][]): Buffer => {
  const buffer = Buffer.alloc(0x9000);
  for (const [at, bytes] of parts)
    (typeof bytes === "string"
      ? Buffer.from(bytes, "latin1")
      : Buffer.from(bytes)
    ).copy(buffer, at);
  return buffer;
};
const qcow2 = (...parts: [number, string | number[]][]): Buffer =>
  head([0, "QFI\xfb"], [4, [0, 0, 0, 3]], ...parts);
const vmdk = (description: string): Buffer =>
  head([0, "KDMV"], [12, [1]], [28, [1]], [36, [2]], [512, description]);
const refusal = (buffer: Buffer): { code?: string; message: string } => {
  try {
    diskFormatOf(buffer, "disk.img");
  } catch (error) {
    const { failure } = error as {
      failure: { code: string; message: string; remedy: string };
    };
    expect(failure.remedy).toMatch(/\.$/);
    return failure;
  }
  return { message: "accepted" };
};

describe("diskFormatOf", () => {
  it.each([
    ["qcow2", qcow2()],
    ["qcow2", head([0, "QFI\xfb"], [4, [0, 0, 0, 2]])],
    ["vmdk", vmdk("# Disk DescriptorFile\nparentCID=ffffffff\n")],
    ["vhdx", head([0, "vhdxfile"])],
    ["vdi", head([0x40, [0x7f, 0x10, 0xda, 0xbe]], [0x4c, [1]])],
    ["raw", head([510, [0x55, 0xaa]])],
    ["raw", head([512, "EFI PART"])],
    ["raw", head([0x438, [0x53, 0xef]])],
  ])("knows %s by its marks", (format, buffer) => {
    expect(diskFormatOf(buffer, "disk.img")).toBe(format);
  });

  it.each([
    ["a backing file", qcow2([8, [0, 0, 0, 0, 0, 0, 1, 0]])],
    ["an external data file", qcow2([79, [4]])],
    ["a VMDK that names its parts", head([0, "KDMV"])],
    ["a VMDK with a parent", vmdk('parentFileNameHint="/etc/shadow"')],
    ["a VMDK with a parent's id", vmdk("parentCID=12345678\n")],
    ["a differencing VDI", head([0x40, [0x7f, 0x10, 0xda, 0xbe]], [0x4c, [4]])],
  ])("refuses %s, which could show other files to a guest", (_what, buffer) => {
    expect(refusal(buffer)).toMatchObject({
      code: "images.invalid",
      message: expect.stringMatching(/another file of this computer/) as string,
    });
  });

  it.each([
    ["an encrypted qcow2", qcow2([32, [0, 0, 0, 1]]), /encrypted/],
    ["an old qcow", head([0, "QFI\xfb"], [4, [0, 0, 0, 1]]), /version 1/],
    ["a split VMDK", head([0, "# Disk DescriptorFile"]), /other files/],
    ["an installer", head([0x8001, "CD001"], [510, [0x55, 0xaa]]), /installer/],
    ["xz", head([0, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]]), /packed with xz/],
    ["gzip", head([0, [0x1f, 0x8b]]), /packed with gzip/],
    ["text", head([0, "<html>"]), /no disk image/],
    ["nothing", Buffer.alloc(0), /no disk image/],
    ["a stump of a qcow2", Buffer.from("QFI\xfb", "latin1"), /damaged/],
    ["a qcow2 marked as damaged", qcow2([79, [2]]), /damaged/],
  ])("refuses %s with what to do", (_what, buffer, message) => {
    expect(refusal(buffer).message).toMatch(message);
  });
});
