import { expect, test } from "vitest";
import { refusalIn } from "../../../../src/helper/cli/proxy.ts";

test("the landing's reason is found before a banner, in however many pieces it comes", () => {
  const line = "Guesthouse: The dev container isn't running (exited).\r\n";
  expect(refusalIn(line)).toBe("The dev container isn't running (exited).");
  expect(refusalIn(line.slice(0, 5))).toBeUndefined();
  expect(refusalIn(line.slice(0, 20))).toBeUndefined();
});

test("a server's banner, other words and words without an end are none", () => {
  expect(refusalIn("SSH-2.0-OpenSSH_10.0\r\n")).toBeNull();
  expect(refusalIn("Go away\r\n")).toBeNull();
  expect(refusalIn(`Guesthouse: ${"x".repeat(2000)}`)).toBeNull();
});
