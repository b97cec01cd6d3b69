import { describe, expect, test } from "vitest";
import {
  convertCommand,
  fileSystemCommand,
} from "../../../../../src/helper/images/build/disk.ts";
import { kernelArguments } from "../../../../../src/helper/images/build/kernelArguments.ts";
import { isolated } from "../../../../../src/helper/images/tools/namespace.ts";
import {
  installedPackages,
  readPackageList,
} from "../../../../../src/helper/images/build/packages.ts";
import { installProgress } from "../../../../../src/helper/images/build/progress.ts";
import { toolFailure } from "../../../../../src/helper/images/tools/toolFailure.ts";

describe("command lines", () => {
  const command = { file: "mke2fs", args: ["-d", "/tree with spaces"] };

  test("root's work gets namespaces of its own", () => {
    expect(isolated("root", command)).toEqual({
      file: "unshare",
      args: [
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "mke2fs",
        "-d",
        "/tree with spaces",
      ],
    });
  });

  test("an ordinary user is mapped to root first", () => {
    expect(isolated("user", command).args.slice(0, 3)).toEqual([
      "--user",
      "--map-root-user",
      "--map-auto",
    ]);
  });

  test("without namespaces the command stays as it is", () => {
    expect(isolated("plain", command)).toBe(command);
  });

  test("the file system fills the whole disk under the label that the kernel looks for", () => {
    const disk = { tree: "/t", rawPath: "/w/disk.raw", sizeGiB: 20 };
    const { file, args } = fileSystemCommand(disk);
    const label = args[args.indexOf("-L") + 1] ?? "";
    expect([file, ...args].join(" ")).toBe(
      `mke2fs -q -F -t ext4 -L ${label} -m 1 -e remount-ro -E lazy_itable_init=1,lazy_journal_init=1,nodiscard -d /t /w/disk.raw`,
    );
    // ext4 keeps 16 bytes of a label.
    expect(label.length).toBeLessThanOrEqual(16);
    for (const arch of ["amd64", "arm64"] as const)
      expect(kernelArguments(arch).split(" ")).toContain(`root=LABEL=${label}`);
  });

  test("each architecture's console is its serial port", () => {
    expect(kernelArguments("amd64")).toMatch(/console=ttyS0$/);
    expect(kernelArguments("arm64")).toMatch(/console=ttyAMA0$/);
  });

  test("the disk becomes a plain qcow2", () => {
    expect(convertCommand("/w/a.raw", "/w/a.qcow2").args).toEqual(
      "convert -f raw -O qcow2 /w/a.raw /w/a.qcow2".split(" "),
    );
  });
});

test("the package list knows the architecture's kernel", () => {
  const text = "# comment\n%KERNEL%\n\nsudo # trailing\n";
  expect(readPackageList(text, "arm64")).toEqual(["linux-image-arm64", "sudo"]);
});

test("the manifest lists installed packages only, held ones too", () => {
  const status = `Package: zlib1g
Status: install ok installed
Version: 1:1.2
Description: library
 with a second line

Package: gone
Status: deinstall ok config-files
Version: 1

Package: linux-image-amd64
Status: hold ok installed
Version: 6.1
`;
  expect(installedPackages(status)).toEqual([
    { name: "linux-image-amd64", version: "6.1" },
    { name: "zlib1g", version: "1:1.2" },
  ]);
});

test("progress grows with dpkg's lines and never reaches the end early", () => {
  const read = installProgress(2);
  expect(read("I: running apt-get update...")).toEqual({ stage: "packages" });
  expect(read("Reading package lists...")).toBeUndefined();
  const fractions = [
    "Unpacking a (1) ...",
    "Setting up a (1) ...",
    "Unpacking b (1) ...",
    "Setting up b (1) ...",
    "Setting up c (1) ...",
  ].map((line) => read(line)?.fraction);
  expect(fractions).toEqual([0.25, 0.5, 0.75, 0.99, 0.99]);
  expect(read("I: customizing")).toEqual({ stage: "customize" });
});

describe("a failing tool", () => {
  test.each([
    [
      "E: Write error - write (28: No space left on device)",
      "host.diskFull",
      /4 GiB/,
    ],
    [
      "Err:1 http://m.example bookworm InRelease\n  Could not connect to m.example:80",
      "images.buildFailed",
      /proxy settings/,
    ],
    [
      "E: Failed to fetch http://m.example/x.deb  Temporary failure resolving 'm.example'",
      "images.buildFailed",
      /proxy settings/,
    ],
    [
      "W: GPG error: http://m.example InRelease: NO_PUBKEY 0E98404D386FA1D9",
      "images.buildFailed",
      /debian-archive-keyring/,
    ],
    [
      "E: setup failed: something new",
      "images.buildFailed",
      /log of the build/,
    ],
  ])("%s", (output, code, remedy) => {
    const { failure } = toolFailure(
      "/usr/bin/mmdebstrap",
      1,
      output.split("\n"),
    );
    expect(failure).toMatchObject({ kind: "failed", code });
    expect(failure.remedy).toMatch(remedy);
  });

  test("is quoted with its own last words", () => {
    const { failure } = toolFailure("mke2fs", 1, [
      "ok",
      "mke2fs: cannot open x",
      "",
    ]);
    expect(failure.message).toBe(
      "mke2fs failed with exit code 1: mke2fs: cannot open x.",
    );
  });
});
