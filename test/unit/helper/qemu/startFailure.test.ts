import { expect, test } from "vitest";
import { explainStartFailure } from "../../../../src/helper/qemu/startFailure.ts";

test.each([
  [
    "qemu-system-x86_64: -netdev user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22: Could not set up host forwarding rule 'tcp:127.0.0.1:2222-:22'",
    "machines.portTaken",
    /Port 2222 /,
  ],
  [
    'qemu-system-x86_64: -blockdev driver=qcow2: Failed to get "write" lock\nIs another process using the image [disk.qcow2]?',
    "machines.startFailed",
    /Another process uses the machine's disk/,
  ],
  [
    "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory",
    "machines.startFailed",
    /too little free memory/,
  ],
  [
    "Could not access KVM kernel module: Permission denied\nqemu-system-x86_64: failed to initialize kvm: Permission denied",
    "machines.startFailed",
    /KVM can't be used: Permission denied/,
  ],
  [
    "qemu-system-x86_64: -blockdev x: Image is not in qcow2 format",
    "images.broken",
    /damaged/,
  ],
  [
    "qemu-system-x86_64: -device foo: 'foo' is not a valid device model name",
    "machines.startFailed",
    /exit code 1.*not a valid device/,
  ],
  ["", "machines.startFailed", /without a word/],
])("%j is %s", (stderr, code, message) => {
  const { failure } = explainStartFailure(stderr, "exit code 1");
  expect(failure.code).toBe(code);
  expect(failure.message).toMatch(message);
  expect(failure.remedy).toMatch(/\.$/);
});

test("warnings are not taken for the reason", () => {
  const { failure } = explainStartFailure(
    "qemu-system-x86_64: warning: host doesn't support requested feature\nqemu-system-x86_64: -m: no",
    "exit code 1",
  );
  expect(failure.message).not.toContain("warning");
});
