import { randomBytes } from "node:crypto";

/** A locally administered unicast address with QEMU's usual prefix. */
export function newMacAddress(): string {
  const tail = [...randomBytes(3)].map((byte) =>
    byte.toString(16).padStart(2, "0"),
  );
  return ["52", "54", "00", ...tail].join(":");
}
