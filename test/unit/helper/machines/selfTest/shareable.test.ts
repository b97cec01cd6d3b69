import { describe, expect, test } from "vitest";
import { shareable } from "../../../../../src/helper/machines/selfTest/shareable.ts";

describe("what a guest said, fit to be sent to others", () => {
  test.each([
    [
      "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
      "(removed)",
    ],
    ["a -----BEGIN RSA PRIVATE KEY-----\ncut off", "a (removed)"],
    ["DefaultPassword = hunter2; x", "DefaultPassword = (removed); x"],
    ['{"password": "two words"}', '{"password": (removed)}'],
    [
      "API_KEY=abc GITHUB_TOKEN: def",
      "API_KEY=(removed) GITHUB_TOKEN: (removed)",
    ],
    ["key ABCDE-12345-FGHIJ-67890-KLMNO.", "key (removed)."],
    ["123456-123456-123456-123456-123456-123456-123456-123456", "(removed)"],
    ["https://me:secret@example.org/x", "https://(removed)@example.org/x"],
  ])("%j loses its secret", (text, left) => {
    expect(shareable(text)).toBe(left);
  });

  test("words that are nobody's business have others in their place, whole words only", () => {
    expect(
      shareable("ATTIC\\maria: maria@attic mariachi", [
        ["maria", "(user)"],
        ["attic", "(machine)"],
        ["a", "(no)"],
      ]),
    ).toBe("(machine)\\(user): (user)@(machine) mariachi");
  });

  test("a word may hold anything", () => {
    expect(shareable("x c++. x", [["c++.", "$&"]])).toBe("x $& x");
  });

  test("what is long is cut off and says so; what is harmless stays", () => {
    expect(shareable("x".repeat(5_000))).toBe(
      `${"x".repeat(4_096)}… (5000 characters)`,
    );
    const harmless = "2.0 True\nPCI\\VEN_1AF4&DEV_1041 guest-file-read";
    expect(shareable(harmless)).toBe(harmless);
  });
});
