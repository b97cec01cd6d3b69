import { expect, test } from "vitest";
import { GuesthouseError } from "../../../../src/protocol/failure.ts";
import { judgeSpace } from "../../../../src/helper/host/doctor.ts";
import {
  installCommand,
  packageManagers,
  toolNames,
} from "../../../../src/helper/host/packages.ts";
import {
  parseVersion,
  requireTool,
} from "../../../../src/helper/host/tools.ts";

test.each([
  ["QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)", "7.2.22"],
  ["QEMU emulator version 10.0.2", "10.0.2"],
  ["OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19", "9.2p1"],
  ["mmdebstrap 1.3.5", "1.3.5"],
  ["passt 0.0~git20230309.7c7625d-1", "0.0~git20230309"],
  ["passt unknown version", "unknown"],
])("the version in %j is %s", (output, version) =>
  expect(parseVersion(output)).toBe(version),
);

const byName = (name: string) =>
  packageManagers.find((one) => one.name === name)!;

test("what is missing is installed by one command", () => {
  expect(
    installCommand(
      byName("apt-get"),
      ["qemuSystem", "qemuImg", "mmdebstrap"],
      "x86_64",
      false,
    ),
  ).toEqual([
    ...["sudo", "apt-get", "install", "--yes"],
    ...["qemu-system-x86", "qemu-utils", "mmdebstrap"],
  ]);
});

test("root and Homebrew need no sudo, and a package is named once", () => {
  expect(installCommand(byName("dnf"), ["ssh"], "x86_64", true)?.[0]).toBe(
    "dnf",
  );
  expect(
    installCommand(byName("brew"), ["qemuSystem", "qemuImg"], "aarch64", false),
  ).toEqual(["brew", "install", "qemu"]);
});

test("a tool that a package manager lacks gives no command", () => {
  expect(
    installCommand(byName("winget"), ["mmdebstrap"], "x86_64", false),
  ).toBeUndefined();
});

test("every package manager has QEMU, its disk tool and an ssh client", () => {
  for (const one of packageManagers)
    for (const tool of ["qemuSystem", "qemuImg", "ssh"] as const)
      expect(one.packages(tool, "x86_64"), one.name).not.toEqual([]);
});

test("a missing tool is named with the command that installs it", () => {
  for (const name of toolNames) {
    const packageManager = byName("apt-get");
    const error = (() => {
      try {
        return requireTool({ arch: "x86_64", packageManager }, name);
      } catch (reason) {
        return reason;
      }
    })();
    expect(error).toBeInstanceOf(GuesthouseError);
    const { failure } = error as GuesthouseError;
    expect(failure.code).toBe("host.toolMissing");
    expect(failure.message).toMatch(/ is not installed\.$/);
    expect(failure.remedy).toContain(
      `apt-get install --yes ${packageManager.packages(name, "x86_64").join(" ")}`,
    );
  }
});

test.each([
  [1, "error"],
  [5, "warning"],
  [50, "ok"],
])("%d GiB free is %s", (gibibytes, outcome) => {
  const check = judgeSpace(gibibytes * 1024 ** 3, "/data");
  expect(check.outcome).toBe(outcome);
  expect(check.remedy === undefined).toBe(outcome === "ok");
});
