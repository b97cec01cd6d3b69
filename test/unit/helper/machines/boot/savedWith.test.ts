import { expect, test } from "vitest";
import {
  type Taker,
  unfitRefusal,
} from "../../../../../src/helper/machines/boot/savedWith.ts";
import type { SavedWith } from "../../../../../src/helper/store/records.ts";

const saved: SavedWith = {
  qemu: "7.2.22",
  machineType: "pc-q35-7.2",
  accelerator: "tcg",
};
const host = (
  machineTypes: readonly string[],
  kind: Taker["accelerator"]["kind"] = "tcg",
): Taker => ({
  qemu: { version: { major: 10, minor: 0, micro: 2 }, machineTypes },
  accelerator: { kind },
});
const refusal = (what: SavedWith | undefined, taker: Taker): unknown =>
  unfitRefusal("“web”", what, taker, "Boot it.")?.failure;

test("a newer QEMU that plays the state's machine type takes it in", () => {
  expect(
    refusal(saved, host(["pc-q35-7.2", "pc-q35-10.0", "q35"])),
  ).toBeUndefined();
});

test("a state of unknown origin is left to QEMU's judgement", () => {
  expect(refusal(undefined, host([]))).toBeUndefined();
});

test("a machine type that QEMU doesn't know, and another accelerator, are refused with what works instead", () => {
  expect(refusal(saved, host(["pc-q35-10.0"]))).toEqual({
    kind: "refused",
    code: "machines.captureFailed",
    message:
      "“web” can't go on: it was saved by QEMU 7.2.22 as a pc-q35-7.2, which QEMU 10.0 of this host does not know.",
    remedy:
      "Boot it. Nothing is lost: with QEMU 7.2.22 and tcg it goes on where it was.",
  });
  expect(refusal(saved, host(["pc-q35-7.2"], "kvm"))).toMatchObject({
    message:
      "“web” can't go on: it was saved under tcg, and this host runs machines with kvm now.",
  });
});
