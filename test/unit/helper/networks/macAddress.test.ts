import { expect, test } from "vitest";
import { newMacAddress } from "../../../../src/helper/networks/macAddress.ts";

test("MAC addresses are unicast and locally administered", () => {
  const first = Number.parseInt(newMacAddress().slice(0, 2), 16);
  expect(first & 1).toBe(0);
  expect(first & 2).toBe(2);
});
